import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { startTestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { commands } from "../src/commands/table.ts";
import { agentAuth, binary, CliHome, isExecutable, nodeBuildOnly } from "./support/cli.ts";

const manifest: { readonly version: string } = JSON.parse(
  readFileSync(join(import.meta.dirname, "../package.json"), "utf8"),
);

const cacheOf = (home: CliHome) => join(home.path, `agent-auth-cache-${process.getuid?.()}`);
const status = (home: CliHome) =>
  home.run(["login", "status"], { env: { TMPDIR: home.path, NODE_COMPILE_CACHE: "" } });

describe("agent-auth", () => {
  it.each([["--version"], ["-V"], ["-q", "--version"], ["version"]])(
    "prints its version: %j",
    async (...args) => {
      await using home = await CliHome.make();
      const { exitCode, stdout, stderr } = await home.run(args);
      expect([exitCode, stdout, stderr]).toEqual([0, `${manifest.version}\n`, ""]);
    },
  );

  it("shows its help when asked, and on stderr with 2 when called with nothing", async () => {
    await using home = await CliHome.make();
    const asked = await home.run(["--help"]);
    expect([asked.exitCode, asked.stderr]).toEqual([0, ""]);
    const bare = await home.run([]);
    expect([bare.exitCode, bare.stdout]).toEqual([2, ""]);
    expect(bare.stderr).toBe(asked.stdout);
  });

  it.each(commands.map(({ spec }) => [spec.path.join(" "), spec] as const))(
    "has a manual page for %s, which needs neither configuration nor arguments",
    async (_, spec) => {
      await using home = await CliHome.make("broken = \n");
      const { exitCode, stdout, stderr } = await home.run([...spec.path, "--help"]);
      expect(stdout).toContain(`agent-auth ${spec.path.join(" ")} - ${spec.summary}`);
      expect([exitCode, stderr]).toEqual([0, ""]);
    },
  );

  it("shows the exit codes of proxy in its help", async () => {
    await using home = await CliHome.make();
    const { stdout } = await home.run(["proxy", "--help"]);
    expect(stdout.split("EXIT CODES\n")[1]?.split("\n\n")[0]).toBe(
      [
        "  0  stopped by Ctrl-C or SIGTERM",
        "  1  it could not start",
        "  2  invalid command line",
        "  4  a sign-in is needed",
      ].join("\n"),
    );
  });

  it.each([
    ["token", ["token"]],
    ["login status", ["login", "status"]],
    [
      "login status with a config.toml",
      ["login", "status", "-c", 'chatgpt_base_url="https://a.test"'],
    ],
  ])("%s loads no module of Node that it does not need for a stored API key", async (_, args) => {
    await using home = await CliHome.make();
    await home.run(["login", "--with-api-key"], { stdin: "sk-test-0123456789" });
    const script = `process.on("exit", () => require("fs").writeSync(2, process.moduleLoadList.join("\\n")));
      process.argv.splice(1, 0, "x"); require(${JSON.stringify(binary)})`;
    const options = { encoding: "utf8", env: home.env() } as const;
    const { status, stderr } = spawnSync(process.execPath, ["-e", script, "--", ...args], options);
    const loaded = stderr.split("\n");
    expect(status).toBe(0);
    expect(loaded).toContain("NativeModule fs");
    const costly = ["child_process", "crypto", "http", "net", "sqlite", "stream", "tls", "zlib"];
    expect(costly.filter((name) => loaded.includes(`NativeModule ${name}`))).toEqual([]);
  });

  const keepsNone = process.platform === "win32" || isExecutable;
  const why = nodeBuildOnly("the executable holds what is compiled");
  describe.skipIf(keepsNone)(`keeps compiled code${why}`, () => {
    it("in its own folder, for this user alone", async () => {
      await using home = await CliHome.make();
      await status(home);
      expect(statSync(cacheOf(home)).mode & 0o777).toBe(0o700);
      expect(readdirSync(cacheOf(home))).not.toEqual([]);
    });

    it("not in a folder that others may write, and runs all the same", async () => {
      await using home = await CliHome.make();
      mkdirSync(cacheOf(home));
      chmodSync(cacheOf(home), 0o777);
      expect((await status(home)).stderr).toContain("Not logged in");
      expect(readdirSync(cacheOf(home))).toEqual([]);
    });
  });

  it("survives readers that go away at once", () => {
    const words = agentAuth.map((word) => `'${word}'`).join(" ");
    const line = `${words} --help | true; echo "\${PIPESTATUS[0]}"`;
    expect(execFileSync("bash", ["-c", line]).toString()).toBe("0\n");
  });

  it.each(["12.22.12", "20.19.0", "22.18.0"])(
    "says in one line that Node %s is too old, without a stack trace",
    (node) => {
      const { status, stderr, stdout } = runOnNode(node, ["login"]);
      expect(stderr).toBe(
        `agent-auth needs Node 22.19 or later; this is v${node}. Install a newer Node.\n`,
      );
      expect([status, stdout]).toEqual([1, ""]);
    },
  );

  it.each([
    ["Bun", "1.2.0", "22.6.0"],
    ["Deno", "2.0.0", "20.11.1"],
  ])(
    "says that %s %s is too old, by the Node that it is compatible with",
    (name, version, node) => {
      const { status, stderr } = runOnNode(node, ["login"], { [name.toLowerCase()]: version });
      expect(stderr).toBe(
        `agent-auth needs Node 22.19 or later; this is ${name} ${version}, which is compatible with Node ${node}. Install a newer ${name}.\n`,
      );
      expect(status).toBe(1);
    },
  );

  it.each(["22.19.0", "24.0.0", "30.1.0"])("runs on Node %s", (node) => {
    const { status, stderr } = runOnNode(node, ["help", "login"]);
    expect([status, stderr]).toEqual([0, ""]);
  });

  it("prints its version on any Node", () => {
    const { status, stdout } = runOnNode("12.22.12", ["--version"]);
    expect([status, stdout]).toEqual([0, `${manifest.version}\n`]);
  });
});

/** The launcher in a process that claims to be another version of Node. */
const runOnNode = (node: string, args: readonly string[], more: object = {}) => {
  const claim = `Object.defineProperty(process, "versions", { value: { ...process.versions, ...${JSON.stringify({ node, ...more })} } });
    Object.defineProperty(process, "version", { value: "v${node}" });`;
  const script = `${claim} process.argv.splice(1, 0, "x"); require(${JSON.stringify(binary)})`;
  return spawnSync(process.execPath, ["-e", script, "--", ...args], { encoding: "utf8" });
};

describe("no command", () => {
  it("prints a secret, except for those that print one on stdout by design, such as token and headers", async () => {
    await using authority = await startTestAuthority();
    await using home = await CliHome.make(
      `chatgpt_base_url = "${authority.chatgptBaseUrl}"\nopenai_base_url = "${authority.openaiBaseUrl}"\n`,
    );
    const agent = await authority.mintAgentIdentity();
    const secrets = {
      CODEX_API_KEY: "sk-proj-canary-0123456789",
      CODEX_AGENT_IDENTITY: agent.jwt,
      CODEX_ACCESS_TOKEN: "at-canary-0123456789",
    };
    const canaries = [
      secrets.CODEX_API_KEY,
      agent.jwt,
      agent.privateKey,
      secrets.CODEX_ACCESS_TOKEN,
    ];
    const lines: readonly (readonly string[])[] = [
      ["login", "status"],
      ["login", "status", "--json"],
      ["api", "responses", "-d", "{}", "--verbose"],
      ["api", "nowhere", "--verbose"],
      ["doctor", "--json", "--verbose"],
      ["verify", "--verbose"],
      ["decode"],
      ["accounts", "list", "--json"],
      ["exec", "--", "no-such-program"],
      ["logout"],
      ["login", "--with-api-key"],
    ];
    for (const [variable, secret] of Object.entries(secrets)) {
      for (const args of lines) {
        const { stdout, stderr } = await home.run(args, {
          env: { [variable]: secret },
          stdin: secret,
        });
        for (const canary of canaries) expect(stdout + stderr).not.toContain(canary);
      }
    }
  }, 60_000);
});
