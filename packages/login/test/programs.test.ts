import { describe, expect, it } from "vitest";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BatchArgumentInvalid, launchOf } from "../src/programs/index.ts";
import { temporaryFolder } from "./support/home.ts";

const cmd = String.raw`C:\Windows\System32\cmd.exe`;
const nodejs = String.raw`C:\Program Files\nodejs`;

/** A disk with these files, whose names are not case-sensitive. */
const windows = (...files: ReadonlyArray<string>) => ({
  platform: "win32" as const,
  env: { Path: String.raw`relative;C:\tools;${nodejs}`, systemroot: String.raw`C:\Windows` },
  cwd: String.raw`C:\work`,
  isFile: (path: string) => files.some((file) => file.toLowerCase() === path.toLowerCase()),
});

describe("launchOf", () => {
  it("starts the program itself on Linux and macOS, whatever its name is", () => {
    for (const platform of ["linux", "darwin"] as const)
      expect(launchOf("npm.cmd", ["a b"], { env: {}, platform })).toEqual({
        file: "npm.cmd",
        args: ["a b"],
      });
  });

  it.each([
    ["npm", String.raw`C:\Program Files\nodejs\npm.cmd`],
    ["NPM.CMD", String.raw`C:\Program Files\nodejs\NPM.CMD`],
    ["old", String.raw`C:\tools\old.bat`],
  ])("lets cmd.exe run the batch file that %s names", (name, file) => {
    expect(launchOf(name, ["ci"], windows(file))).toEqual({
      file: cmd,
      args: ["/e:ON", "/v:OFF", "/d", "/c", `""${file}" ci"`],
      windowsVerbatimArguments: true,
    });
  });

  it("prefers an .exe to a .cmd of the same folder, and the first folder of PATH", () => {
    const [exe, script] = [String.raw`C:\tools\az.exe`, String.raw`C:\tools\az.cmd`];
    const options = windows(exe, script, String.raw`${nodejs}\az.com`);
    expect(launchOf("az", ["a b", "%PATH%"], options)).toEqual({
      file: exe,
      args: ["a b", "%PATH%"],
    });
  });

  it.each([
    [String.raw`bin\run`, String.raw`C:\work\bin\run.exe`],
    ["./run.exe", String.raw`C:\work\run.exe`],
    [String.raw`D:\run`, String.raw`D:\run.com`],
  ])("takes the path %s relative to the working directory", (path, file) => {
    expect(launchOf(path, [], windows(file)).file).toBe(file);
  });

  it.each([
    ["in the working directory", "run", String.raw`C:\work\run.exe`],
    ["in a relative folder of PATH", "run", String.raw`C:\work\relative\run.exe`],
    ["with an extension that only a shell opens", "run", String.raw`C:\tools\run.js`],
    ["without an extension", "run", String.raw`C:\tools\run`],
    ["whose name is empty", "", String.raw`C:\tools\.exe2`],
  ])("does not find a program %s", (_, name, file) => {
    expect(() => launchOf(name, [], windows(file))).toThrow(
      expect.objectContaining({ code: "ENOENT" }),
    );
  });

  it("continues the search after a folder that cannot be read", () => {
    // The file system refuses this name, as Windows refuses a folder of another user.
    const env = { PATH: `C:\\${"x".repeat(300)};C:\\tools` };
    expect(() => launchOf("run", [], { env, platform: "win32" })).toThrow(
      expect.objectContaining({ code: "ENOENT" }),
    );
  });

  it.each([
    ["no special character", "--flag", "--flag"],
    ["an equals sign", "--flag=1", `"--flag=1"`],
    ["nothing", "", '""'],
    ["a space", "a b", '"a b"'],
    ["a command after a quote", 'a"&calc', '"a""&calc"'],
    ["a variable", "%PATH%", '"%%cd:~,%PATH%%cd:~,%"'],
    ["characters of the shell", "a&b|c>d^e!", '"a&b|c>d^e!"'],
    ["a backslash before a quote", String.raw`a\"b`, String.raw`"a\\""b"`],
    ["a backslash at the end", "C:\\dir\\", String.raw`"C:\dir\\"`],
  ])("quotes an argument with %s for a batch file", (_, argument, quoted) => {
    const line = launchOf("x", [argument], windows(String.raw`C:\tools\x.cmd`)).args.at(-1);
    expect(line).toBe(String.raw`""C:\tools\x.cmd" ${quoted}"`);
  });

  it.each(["a\nb", "a\rb", "a\0b"])("refuses to give a batch file the argument %j", (argument) => {
    const script = windows(String.raw`C:\tools\x.cmd`);
    expect(() => launchOf("x", [argument], script)).toThrow(BatchArgumentInvalid);
    expect(launchOf("x", [argument], windows(String.raw`C:\tools\x.exe`)).args).toEqual([argument]);
  });

  const isWindows = process.platform === "win32";
  if (!isWindows) console.warn("skipped: batch files run on Windows only");
  it
    .skipIf(!isWindows)
    .each(["a b", 'a"&echo calc', "%PATH%", "a&b|c>d^e!", "", "C:\\dir\\", 'a\\"b'])(
    `a batch file passes %j on unchanged${isWindows ? "" : " (skipped: needs Windows)"}`,
    (argument) => {
      const folder = temporaryFolder();
      const script = join(folder, "print.cjs");
      writeFileSync(script, "console.log(JSON.stringify(process.argv.slice(2)))");
      writeFileSync(join(folder, "print.cmd"), `@"${process.execPath}" "${script}" %*\r\n`);
      const env = { ...process.env, PATH: folder };
      const { file, args, ...how } = launchOf("print", [argument, "last"], { env });
      const printed = spawnSync(file, args, { env, encoding: "utf8", ...how });
      expect(JSON.parse(printed.stdout)).toEqual([argument, "last"]);
    },
  );
});
