import { describe, expect, it } from "vitest";
import { defineSpec } from "../src/argv/command-spec.ts";
import { findCommand } from "../src/argv/find-command.ts";
import { commandHelp, programHelp } from "../src/argv/help.ts";
import { parseInvocation } from "../src/argv/parse.ts";
import { UsageError } from "../src/argv/usage-error.ts";
import { commands } from "../src/commands/table.ts";

const send = defineSpec({
  path: ["send"],
  summary: "send something",
  description: ["Sends."],
  args: [{ name: "what", required: true, summary: "the thing" }],
  flags: {
    header: { type: "string", short: "H", value: "LINE", multiple: true, summary: "a header" },
    shape: { type: "string", value: "SHAPE", choices: ["round", "square"], summary: "the shape" },
    loud: { type: "boolean", short: "l", summary: "loudly" },
  },
  examples: [],
});

const execute = defineSpec({
  path: ["exec"],
  summary: "run",
  description: [],
  args: [
    { name: "program", required: true, summary: "program" },
    { name: "args", required: false, variadic: true, summary: "its arguments" },
  ],
  flags: {},
  examples: [],
  passesThrough: true,
});

const usageOf = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error("no usage error");
};

describe("parseInvocation", () => {
  it("reads flags anywhere, lists, switches and global overrides", () => {
    const { flags, args, globals } = parseInvocation(send, [
      "-H",
      "a: b",
      "it",
      "--header=c: d",
      "-l",
      "-c",
      "a.b=1",
      "--config",
      "x=y",
      "-q",
    ]);
    expect(flags).toEqual({ header: ["a: b", "c: d"], shape: undefined, loud: true });
    expect(args).toEqual(["it"]);
    expect(globals).toEqual({ config: ["a.b=1", "x=y"], quiet: true, verbose: false, help: false });
  });

  it.each([
    [["it", "--nope"], "unknown option '--nope'"],
    [["it", "--loud=yes"], "does not take a value"],
    [["it", "--haeder", "a: b"], "unknown option '--haeder'; did you mean '--header'?"],
    [["it", "--header"], "option '--header' needs a value: LINE"],
    [["it", "--shape", "flat"], "--shape takes round, square"],
    [["it", "more"], "unexpected argument 'more'"],
    [[], "<what> is missing"],
  ])("refuses %j", (words, complaint) => {
    expect(usageOf(() => parseInvocation(send, words))).toContain(complaint);
  });

  it.each([
    "sk-secret",
    "sk-proj-1234567890ABCDE",
    "at-secret",
    "eyJhbGci.secret.secret",
    "hunter2",
    "a-very-long-word-that-may-be-a-secret",
    "two words",
  ])("does not repeat %j, which may be a secret", (word) => {
    expect(usageOf(() => parseInvocation(send, ["it", word]))).toBe("unexpected argument '***'");
    expect(usageOf(() => parseInvocation(send, [`--${word}`]))).toBe("unknown option '--***'");
    expect(usageOf(() => findCommand([{ path: ["it"] }], [word]))).toBe("no such command: ***");
  });

  it.each(["more", "notes.txt", "src/main", "Responses"])("repeats %j", (word) => {
    expect(usageOf(() => parseInvocation(send, ["it", word]))).toBe(
      `unexpected argument '${word}'`,
    );
  });

  it("does not repeat the value of an unknown flag", () => {
    expect(usageOf(() => parseInvocation(send, ["it", "--token=at-secret"]))).not.toContain(
      "at-secret",
    );
  });

  it("needs no arguments to show help", () => {
    expect(parseInvocation(send, ["--help"]).globals.help).toBe(true);
  });

  it("leaves everything after -- to the other program", () => {
    expect(parseInvocation(execute, ["--", "ls", "-q", "--help"])).toMatchObject({
      args: ["ls", "-q", "--help"],
      globals: { quiet: false, help: false },
    });
  });

  it("requires -- before the flags of the other program", () => {
    expect(usageOf(() => parseInvocation(execute, ["ls", "--", "-l"]))).toContain("put --");
    expect(usageOf(() => parseInvocation(execute, ["ls"]))).toContain("put --");
    expect(usageOf(() => parseInvocation(execute, ["--"]))).toContain(
      "<program> is missing after --",
    );
  });
});

describe("findCommand", () => {
  const specs = [{ path: ["login"] }, { path: ["login", "status"] }, { path: ["api"] }] as const;

  it.each([
    [["login"], "login", []],
    [["login", "status", "--json"], "login status", ["--json"]],
    [["-c", "a=b", "login", "-q", "status"], "login status", ["-c", "a=b", "-q"]],
    [["-ca=b", "--config=c=d", "api", "x"], "api", ["-ca=b", "--config=c=d", "x"]],
    [["login", "--device-auth", "status"], "login", ["--device-auth", "status"]],
  ])("finds the command of %j", (argv, path, words) => {
    const found = findCommand(specs, argv);
    expect(found?.spec.path.join(" ")).toBe(path);
    expect(found?.words).toEqual(words);
  });

  it("says that a word names no command, and shows none that may be a secret", () => {
    expect(usageOf(() => findCommand(specs, ["nope"]))).toBe("no such command: nope");
    expect(usageOf(() => findCommand(specs, ["x".repeat(40)]))).toBe("no such command: ***");
  });

  it.each([
    [["whoami"], "login status", []],
    [["status", "--json"], "login status", ["--json"]],
    [["auth", "login", "--device-auth"], "login", ["--device-auth"]],
    [["auth", "status"], "login status", []],
    [["auth", "logout"], "logout", []],
    [["-c", "a=b", "auth", "-q", "token", "--show"], "token", ["-c", "a=b", "-q", "--show"]],
  ])("accepts the name that other tools have for a command: %j", (argv, path, words) => {
    const found = findCommand(
      commands.map(({ spec }) => spec),
      argv,
    );
    expect(found?.spec.path.join(" ")).toBe(path);
    expect(found?.words).toEqual(words);
  });

  it.each([
    [["signin"], "no such command: signin; did you mean 'agent-auth login'?"],
    [["auth"], "no such command: auth; did you mean 'agent-auth login'?"],
    [["auth", "refresh"], "no such command: auth; did you mean 'agent-auth login'?"],
    [["curl", "x"], "no such command: curl; did you mean 'agent-auth api'?"],
    [["switch", "work"], "no such command: switch; did you mean 'agent-auth accounts use'?"],
    [["logn"], "no such command: logn; did you mean 'agent-auth login'?"],
    [["login", "stauts"], "no such command: login stauts; did you mean 'agent-auth login status'?"],
  ])("suggests the command that %j probably means", (argv, message) => {
    const all = commands.map(({ spec }) => spec);
    expect(usageOf(() => findCommand(all, argv))).toBe(message);
  });

  it.each([
    [["--device"], "unknown option '--device'; did you mean '--device-auth'?"],
    [["--device-code"], "unknown option '--device-code'; did you mean '--device-auth'?"],
    [["--api-key"], "unknown option '--api-key'; did you mean '--with-api-key'?"],
    [["--token=x"], "unknown option '--token'; did you mean '--with-access-token'?"],
    [["device"], "unexpected argument 'device'; did you mean '--device-auth'?"],
    [["--with"], "unknown option '--with'"],
  ])("suggests the flag that login %j probably means", (words, message) => {
    const login = commands.find(({ spec }) => spec.path.join(" ") === "login");
    if (login === undefined) throw new Error("there is no login");
    expect(usageOf(() => parseInvocation(login.spec, words))).toBe(message);
  });

  it("names the commands of a group that was called alone", () => {
    const group = [{ path: ["accounts", "list"] }, { path: ["accounts", "use"] }] as const;
    expect(usageOf(() => findCommand(group, ["accounts"]))).toBe(
      "accounts needs one of: accounts list, accounts use",
    );
  });

  it("finds nothing if no word is a command", () => {
    expect(findCommand(specs, [])).toBeNull();
    expect(findCommand(specs, ["--version"])).toBeNull();
  });
});

const stripColours = (text: string) =>
  ["", "1", "36"].reduce((rest, code) => rest.replaceAll(`\u001b[${code}m`, ""), text);

describe("help", () => {
  const specs = commands.map((entry) => entry.spec);

  it("names every command once", () => {
    const page = programHelp(specs);
    const lines = page.split("\n");
    // A name that is too wide for its column has its own line.
    for (const name of specs.map(({ path }) => `  ${path.join(" ")}`))
      expect(lines.filter((line) => line === name || line.startsWith(`${name} `))).not.toEqual([]);
    expect(page.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  it.each(specs.map((spec) => [spec.path.join(" "), spec] as const))(
    "fits 80 columns and explains every flag: %s",
    (_, spec) => {
      const page = commandHelp(spec);
      const wide = page.split("\n").filter((line) => line.length > 80 && !line.startsWith("  $ "));
      expect(wide).toEqual([]);
      for (const [name, flag] of Object.entries(spec.flags)) {
        expect(page.includes(`--${name}`)).toBe(flag.hidden !== true);
      }
      for (const title of ["USAGE", "DESCRIPTION", "EXIT CODES", "EXAMPLES"]) {
        expect(page).toContain(`\n${title}\n`);
      }
    },
  );

  it.each([40, 60, 132])("fits a window of %i columns", (width) => {
    for (const spec of specs) {
      const lines = commandHelp(spec, { style: { width, colour: false } }).split("\n");
      const wide = lines.filter((line) => line.length > width && line.trim().includes(" "));
      // Usage, headline, examples and flags with long values are not broken.
      expect(
        wide.filter((line) => !/^ {2}(?:\$|-|agent-auth)|^agent-auth|^ {2}For /u.test(line)),
      ).toEqual([]);
    }
  });

  it("has headings and names in colour, and the same text without", () => {
    const style = { width: 80, colour: true };
    for (const spec of specs) {
      const coloured = commandHelp(spec, { style });
      expect(coloured).toContain("\u001b[1mUSAGE\u001b[m");
      expect(stripColours(coloured)).toBe(commandHelp(spec));
    }
    expect(stripColours(programHelp(specs, style))).toBe(programHelp(specs));
  });

  it("shows hidden flags when asked", () => {
    const login = specs.find((spec) => spec.path.join(" ") === "login");
    expect(login && commandHelp(login, { withHidden: true })).toContain("--issuer URL");
  });
});
