import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hostTarget } from "../executable/targets.ts";
import { ended } from "./support/cli.ts";

const script = join(import.meta.dirname, "../install/install.sh");
const program = "#!/bin/sh\necho 1.2.3\n";
const isWindows = process.platform === "win32";
const name = isWindows ? "" : hostTarget().file;

/** What the server answers; a missing path gets 404, and one below /latest/ a redirect. */
let files: Record<string, string> = {};
const server = createServer((request, response) => {
  if (request.url?.startsWith("/latest/") === true)
    return void response.writeHead(302, { location: request.url.replace("latest", "v1") }).end();
  const body = files[request.url ?? ""];
  response.statusCode = body === undefined ? 404 : 200;
  response.end(body);
});

let folder: string;
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => void server.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "agent-auth-install-"));
  files = { [`/v1/${name}`]: program, "/v1/SHA256SUMS": sums(program) };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sums = (content: string) =>
  `${"0".repeat(64)}  ${name}.cdx.json\n${createHash("sha256").update(content).digest("hex")}  ${name}\n`;

const install = (env: Readonly<Record<string, string>> = {}, release = "v1") => {
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const child = spawn("sh", [script], {
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: folder,
      TMPDIR: folder,
      AGENT_AUTH_URL: `http://127.0.0.1:${port}/${release}`,
      ...env,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  return ended(child);
};

const why = isWindows ? " (skipped: a POSIX shell is needed)" : "";

describe.skipIf(isWindows)(`install.sh${why}`, () => {
  it("installs the executable of this machine, and leaves no other file", async () => {
    const { exitCode, stderr, stdout } = await install();
    const target = join(folder, ".local/bin/agent-auth");
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(
      `Installed agent-auth 1.2.3 as ${target}\nAdd ${join(folder, ".local/bin")} to your PATH.\n`,
    );
    expect(readFileSync(target, "utf8")).toBe(program);
    expect(statSync(target).mode & 0o777).toBe(0o755);
    expect(readdirSync(folder)).toEqual([".local"]);
    expect(readdirSync(join(folder, ".local/bin"))).toEqual(["agent-auth"]);
  });

  it("replaces an older one, in a folder that was chosen", async () => {
    const chosen = join(folder, "tools");
    await install({ AGENT_AUTH_DIR: chosen });
    const newer = program.replace("1.2.3", "1.3.0");
    files = { [`/v1/${name}`]: newer, "/v1/SHA256SUMS": sums(newer) };
    const { stdout } = await install({
      AGENT_AUTH_DIR: chosen,
      PATH: `${process.env["PATH"]}:${chosen}`,
    });
    expect(stdout).toBe(`Installed agent-auth 1.3.0 as ${chosen}/agent-auth\n`);
  });

  it.each([
    [
      "the checksum does not match",
      () => ({ "/v1/SHA256SUMS": sums("another") }),
      `the checksum of ${name} does not match`,
    ],
    [
      "SHA256SUMS does not list it",
      () => ({ "/v1/SHA256SUMS": `${"0".repeat(64)}  other\n` }),
      `SHA256SUMS does not list ${name}`,
    ],
    [
      "SHA256SUMS lists it under a longer name only",
      () => ({ "/v1/SHA256SUMS": sums(program).replaceAll(name, `${name}.old`) }),
      `SHA256SUMS does not list ${name}`,
    ],
  ])("installs nothing if %s", async (_, changed, reason) => {
    files = { ...files, ...changed() };
    const { exitCode, stderr } = await install();
    expect([exitCode, stderr]).toEqual([1, `agent-auth was not installed: ${reason}\n`]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("follows redirects", async () => {
    const { exitCode, stderr } = await install({}, "latest");
    expect([exitCode, stderr]).toEqual([0, ""]);
  });

  it("keeps the older one if the new one does not run on this machine", async () => {
    await install();
    const broken = "#!/bin/sh\nexit 127\n";
    files = { [`/v1/${name}`]: broken, "/v1/SHA256SUMS": sums(broken) };
    const { exitCode, stderr } = await install();
    expect([exitCode, stderr]).toEqual([
      1,
      "agent-auth was not installed: the executable does not run on this machine\n",
    ]);
    expect(readdirSync(join(folder, ".local/bin"))).toEqual(["agent-auth"]);
    expect(readFileSync(join(folder, ".local/bin/agent-auth"), "utf8")).toBe(program);
  });

  it("installs nothing if the server has no executable for this machine", async () => {
    files = { "/v1/SHA256SUMS": sums(program) };
    const { exitCode, stderr } = await install();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      new RegExp(`agent-auth was not installed: cannot download http://\\S+/v1/${name}\n$`),
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it("names the variable that is missing", async () => {
    const { exitCode, stderr } = await install({ AGENT_AUTH_URL: "" });
    expect([exitCode, stderr]).toEqual([
      1,
      "agent-auth was not installed: set AGENT_AUTH_URL to the folder of a release\n",
    ]);
  });
});
