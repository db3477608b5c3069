import { describe, expect, it } from "vitest";
import { CliHome } from "./support/cli.ts";

const call = async (line: string) => {
  await using home = await CliHome.make();
  return await home.run(line.split(" "));
};

describe("a command line", () => {
  it.each(["accounts", "accounts --help", "accounts -q", "help accounts"])(
    "explains a group that is called alone: %s",
    async (line) => {
      const { exitCode, stdout, stderr } = await call(line);
      expect(stdout).toMatch(
        /^agent-auth accounts - .+\n\nUSAGE\n {2}agent-auth accounts <command> \[flags\]\n/u,
      );
      for (const name of ["list", "use", "add", "remove"]) {
        expect(stdout).toContain(`\n  accounts ${name} `);
      }
      expect([exitCode, stderr]).toEqual([0, ""]);
    },
  );

  it.each([
    ["assertion --help", "agent-auth assertion <command>"],
    ["help", "agent-auth - sign in"],
    ["help login", "agent-auth login - "],
    ["help login status", "agent-auth login status - "],
    ["help accounts add", "agent-auth accounts add - "],
  ])("explains what is asked for: %s", async (line, page) => {
    const { exitCode, stdout, stderr } = await call(line);
    expect(stdout).toContain(page);
    expect([exitCode, stderr]).toEqual([0, ""]);
  });

  it.each([
    ["logni", "agent-auth login"],
    ["help logni", "agent-auth login"],
    ["prxy --port 1", "agent-auth proxy"],
    ["login stauts", "agent-auth login status"],
    ["accounts lsit --json", "agent-auth accounts list"],
  ])("names what %s was probably meant to be", async (line, meant) => {
    const { exitCode, stdout, stderr } = await call(line);
    expect(stderr).toMatch(/^error: no such command: [^\n]*\n$/u);
    expect(stderr).toContain(`; did you mean '${meant}'? (try: agent-auth`);
    expect([exitCode, stdout]).toEqual([2, ""]);
  });

  it.each(["nonsense", "help nonsense"])("guesses nothing at %s", async (line) => {
    const { exitCode, stderr } = await call(line);
    expect(stderr).toBe("error: no such command: nonsense (try: agent-auth --help)\n");
    expect(exitCode).toBe(2);
  });

  it.each([
    ["--json login status", "unknown option '--json' before the command"],
    ["--show=1 token", "unknown option '--show' before the command"],
    ["-x api models", "unknown option '-x' before the command"],
    ["--sk-proj-0123456789 token", "unknown option '--***' before the command"],
  ])("says that options follow the command: %s", async (line, complaint) => {
    const { exitCode, stdout, stderr } = await call(line);
    expect(stderr).toBe(
      `error: ${complaint}; options follow the command (try: agent-auth --help)\n`,
    );
    expect([exitCode, stdout]).toEqual([2, ""]);
  });

  it("accepts flags of every command before its name", async () => {
    const { exitCode, stdout } = await call("-q --verbose -c a.b=1 login status --json");
    expect([exitCode, JSON.parse(stdout)]).toEqual([1, { loggedIn: false }]);
  });

  it.each(["-c foo", "-c =foo", "--config==x"])(
    "rejects an override without a key: %s",
    async (flag) => {
      const { exitCode, stderr } = await call(`token ${flag}`);
      expect(stderr).toBe("error: -c takes KEY=VALUE (try: agent-auth token --help)\n");
      expect(exitCode).toBe(2);
    },
  );

  it("rejects an empty override, which is usually a variable that is not set", async () => {
    const { exitCode, stderr } = await call("token -c chatgpt_base_url=");
    expect(stderr).toBe(
      "error: -c takes KEY=VALUE, and the value is missing (try: agent-auth token --help)\n",
    );
    expect(exitCode).toBe(2);
  });

  it.each([
    ["proxy --port abc", "--port takes a whole number from 0 to 65535", "proxy"],
    [
      "proxy --grace -1",
      "option '--grace' needs a value: SECONDS; for one that starts with -, use =",
      "proxy",
    ],
    ["assertion verify --window 0", "--window takes a whole number", "assertion verify"],
  ])("points at the command's own help: %s", async (line, complaint, path) => {
    const { exitCode, stderr } = await call(line);
    expect(stderr).toContain(complaint);
    expect(stderr).toContain(`(try: agent-auth ${path} --help)\n`);
    expect(exitCode).toBe(2);
  });
});

describe("help", () => {
  it("says how to see the flags that are rarely needed", async () => {
    const { stdout: short } = await call("login --help");
    expect(short).toContain("For rarely needed flags: agent-auth login --help --verbose");
    expect(short).not.toContain("--issuer");
    const { stdout: long } = await call("login --help --verbose");
    expect(long).toMatch(/--issuer URL[\s\S]*--client-id ID/u);
    expect(long).not.toContain("rarely needed");
    expect((await call("help login --verbose")).stdout).toBe(long);
  });

  it.each([
    ["api", true],
    ["token", true],
    ["proxy", true],
    ["login", false],
    ["accounts add", true],
    ["decode", false],
    ["verify", false],
    ["doctor", false],
    ["completion", false],
    ["login status", false],
  ])("lists exit code 4 if a command can end with it: %s %s", async (path, isListed) => {
    const { stdout } = await call(`${path} --help`);
    expect(/^ {2}4 {2}/mu.test(stdout)).toBe(isListed);
  });

  it("aligns the flags of every command", async () => {
    const { stdout } = await call("--help");
    const columns = ["-c, --config KEY=VALUE", "-q, --quiet", "-V, --version"].map((flag) => {
      const line = stdout.split("\n").find((one) => one.startsWith(`  ${flag}`)) ?? "";
      return line.length - line.slice(flag.length + 2).trimStart().length;
    });
    expect(new Set(columns).size).toBe(1);
  });
});

describe("--json", () => {
  it.each(["token", "headers", "proxy", "jwks -c chatgpt_base_url=http://127.0.0.1:1"])(
    "prints a failure on stdout as well: %s",
    async (line) => {
      const { exitCode, stdout, stderr } = await call(`${line} --json`);
      const answer = JSON.parse(stdout);
      expect(answer).toEqual({
        error: {
          code: expect.stringMatching(/^[A-Z_]+$/u),
          message: expect.any(String),
          hint: expect.any(String),
          remedy: expect.stringMatching(/^(?:signIn|fixNetwork)$/u),
        },
      });
      expect(stderr).toContain(answer.error.message);
      expect(exitCode).not.toBe(0);
    },
  );
});
