import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { lchown, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { CommandTokenConfig } from "@agent-auth/login/config";
import type { Credential } from "@agent-auth/login/credential";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandTokenAccess, runTokenCommand } from "../src/credentials/command-token.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "command-token-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const secrets = (...args: ReadonlyArray<string>) => args.map((arg) => Redacted.make(arg));

const config = (script: string, more: Partial<CommandTokenConfig> = {}): CommandTokenConfig => ({
  command: process.execPath,
  args: secrets("-e", script),
  timeoutMs: 5000,
  refreshIntervalMs: 300_000,
  ...more,
});

const run = (one: CommandTokenConfig) =>
  Effect.runPromise(Effect.map(runTokenCommand(one), Redacted.value));
const failureOf = async (one: CommandTokenConfig) => {
  const error = await Effect.runPromise(Effect.flip(runTokenCommand(one)));
  if (error._tag !== "TokenCommandFailed") throw error;
  return error;
};

/** A script that appends a line to a file each time it runs, and prints how many there are. */
const counting = (name: string) => {
  const file = join(folder, name);
  const script = `const f=require("fs");f.appendFileSync(${JSON.stringify(file)},"x\\n");console.log("token-"+f.readFileSync(${JSON.stringify(file)},"utf8").split("\\n").length)`;
  return { script, runs: async () => (await readFile(file, "utf8")).trim().split("\n").length };
};

describe("runTokenCommand", () => {
  it("returns what the command prints, trimmed", async () => {
    expect(await run(config('console.log("  tok-1 \\n")'))).toBe("tok-1");
  });

  it("closes stdin, and passes arguments without a shell", async () => {
    const script =
      'let n=0;process.stdin.on("data",d=>n+=d.length).on("end",()=>console.log(n+process.argv[1]))';
    expect(await run({ ...config(""), args: secrets("-e", script, "$HOME;|") })).toBe("0$HOME;|");
  });

  it.each(["child_process", "fs,CHILD_PROCESS"])(
    "prints neither arguments nor environment under NODE_DEBUG=%s",
    async (NODE_DEBUG) => {
      const source = new URL("../src/credentials/command-token.ts", import.meta.url).href;
      const redacted = import.meta.resolve("effect/Redacted");
      const effect = import.meta.resolve("effect/Effect");
      const script = `
        import { runTokenCommand } from ${JSON.stringify(source)};
        import * as Redacted from ${JSON.stringify(redacted)};
        import * as Effect from ${JSON.stringify(effect)};
        const args = ["-e", "console.log(String(process.argv[1].length))", "canary-argument"].map((arg) => Redacted.make(arg));
        const one = { command: process.execPath, args, timeoutMs: 5000, refreshIntervalMs: 0 };
        console.log(Redacted.value(await Effect.runPromise(runTokenCommand(one))));`;
      const flags = ["--conditions=@agent-auth/source", "--input-type=module", "-e", script];
      const env = { ...process.env, NODE_DEBUG, OTHER_SECRET: "canary-variable" };
      const child = spawnSync(process.execPath, flags, { env, encoding: "utf8" });
      expect(child.stdout).toBe("15\n");
      expect(child.stderr).not.toContain("canary");
    },
  );

  it("resolves a relative path against cwd, and runs there", async () => {
    const one = join(folder, "where.sh");
    await writeFile(one, "#!/bin/sh\npwd\n", { mode: 0o755 });
    const printed = await run({ ...config(""), command: "./where.sh", args: [], cwd: folder });
    expect(printed).toBe(dirname(one));
  });

  it("kills a command that hangs, and its child processes", async () => {
    const pidFile = join(folder, "hanging.pid");
    const error = await failureOf({
      ...config(""),
      command: "sh",
      args: secrets("-c", `sleep 600 & echo $! > ${pidFile}; wait`),
      timeoutMs: 300,
    });
    expect(error).toMatchObject({
      code: "PROVIDER_TOKEN_COMMAND_FAILED",
      reason: { _tag: "TimedOut", afterMs: 300 },
    });
    expect(error.message).toBe('token command "sh" returned no token within 300 ms');
    const pid = Number(await readFile(pidFile, "utf8"));
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it.each([
    ["stdout", "sleep 600 & echo $! > $0; echo token"],
    ["stderr", "sleep 600 >/dev/null & echo $! > $0; echo token"],
    ["both, in another session", "setsid sleep 600 & echo $! > $0; echo token"],
  ])(
    "returns when the command exits, although a child process keeps %s open",
    async (pipe, script) => {
      const pidFile = join(folder, `background-${pipe.slice(0, 6)}.pid`);
      const started = performance.now();
      const printed = await run({
        ...config(""),
        command: "sh",
        args: secrets("-c", script, pidFile),
        timeoutMs: 30_000,
      });
      expect(printed).toBe("token");
      expect(performance.now() - started).toBeLessThan(20_000);
      const pid = Number(await readFile(pidFile, "utf8"));
      expect(isAlive(pid)).toBe(true); // A program that the command started on purpose, such as an agent.
      process.kill(pid, "SIGKILL");
    },
  );

  it("reports the exit code, although a child process keeps stderr open", async () => {
    const pidFile = join(folder, "failing.pid");
    const error = await failureOf({
      ...config(""),
      command: "sh",
      args: secrets("-c", "sleep 600 & echo $! > $0; echo no luck >&2; exit 3", pidFile),
      timeoutMs: 30_000,
    });
    expect(error.reason).toEqual({ _tag: "Exited", exitCode: 3, stderr: "no luck" });
    process.kill(Number(await readFile(pidFile, "utf8")), "SIGKILL");
  });

  it("does not pass on the variables that carry Codex credentials", async () => {
    const names = ["CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "CODEX_AGENT_IDENTITY", "CODEX_HOME"];
    const before = names.map((name) => process.env[name]);
    try {
      for (const name of names) process.env[name] = `value of ${name}`;
      const script = `console.log(${JSON.stringify(names)}.filter((name) => name in process.env).join())`;
      expect(await run(config(script))).toBe("CODEX_HOME");
    } finally {
      for (const [index, name] of names.entries()) {
        const value = before[index];
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });

  it.each([
    ["in capitals", "JOB_TOKEN", "JOB_TOKEN"],
    ["in lower case", "job_token", "job_token"],
    ["in another case than it is set", "Job_Token", "JOB_TOKEN"],
  ])("does not get a withheld variable that is named %s", async (_, named, name) => {
    process.env[name] = "identity";
    try {
      const script = `console.log(String(${JSON.stringify(name)} in process.env))`;
      expect(await run(config(script, { withheld: [named] }))).toBe("false");
    } finally {
      delete process.env[name];
    }
  });

  it("gets the variables of .env that are unset or blank, without the credentials", async () => {
    const variables = { ENV_UNSET: "file", ENV_BLANK: "file", ENV_SET: "file", CODEX_API_KEY: "x" };
    const own = { ENV_BLANK: " ", ENV_SET: "own" };
    const names = JSON.stringify(Object.keys(variables));
    const secret = Object.entries(variables).map(([name, value]) => [name, Redacted.make(value)]);
    const path = join(folder, ".env");
    const dotEnv = { path, variables: Object.fromEntries(secret) };
    Object.assign(process.env, own);
    try {
      const script = `console.log(${names}.map((name) => process.env[name]).join())`;
      expect(await run(config(script, { dotEnv }))).toBe("file,file,own,");
    } finally {
      for (const name of Object.keys(own)) delete process.env[name];
    }
  });

  it.skipIf(process.getuid?.() !== 0)(
    "does not run as root with variables of a file that another user controls (needs root)",
    async () => {
      const path = join(folder, "theirs.env");
      await writeFile(path, "LD_PRELOAD=/nonexistent.so");
      await lchown(path, 4242, 4242);
      const dotEnv = { path, variables: {} };
      const error = await Effect.runPromise(
        Effect.flip(runTokenCommand(config("console.log(1)", { dotEnv }))),
      );
      expect(error).toMatchObject({ _tag: "OwnerNotTrusted", path });
    },
  );

  it.each<[string, Partial<CommandTokenConfig>]>([
    ["timeoutMs: NaN", { timeoutMs: Number.NaN }],
    ["timeoutMs: 0", { timeoutMs: 0 }],
    ["refreshIntervalMs: NaN", { refreshIntervalMs: Number.NaN }],
    ["refreshIntervalMs: -1", { refreshIntervalMs: -1 }],
    ["a relative cwd", { cwd: "." }],
    ["a relative path without cwd", { command: "./bin/get-token" }],
  ])("throws TypeError for %s", (_what, more) => {
    expect(() => runTokenCommand({ ...config(""), ...more })).toThrow(TypeError);
    expect(() => commandTokenAccess({ ...config(""), ...more })).toThrow(TypeError);
  });

  it("fails with the exit code and stderr, truncated and on one line", async () => {
    const error = await failureOf(
      config('process.stderr.write("no\\u001b[31m luck\\n"+"z".repeat(5000));process.exit(3)'),
    );
    expect(error.reason).toEqual({
      _tag: "Exited",
      exitCode: 3,
      stderr: `no [31m luck ${"z".repeat(512 - 14)}…`,
    });
  });

  it.each([
    ["prints nothing", 'console.log("  ")', { _tag: "BadOutput", what: "empty" }],
    [
      "prints output that is not UTF-8",
      "process.stdout.write(Buffer.from([0xc3,0x28]))",
      { _tag: "BadOutput", what: "notUtf8" },
    ],
    [
      "prints endlessly",
      'setInterval(()=>process.stdout.write("x".repeat(65536)),1)',
      { _tag: "BadOutput", what: "tooLong" },
    ],
    [
      "kills itself",
      'process.kill(process.pid,"SIGTERM");setInterval(()=>{},1000)',
      {
        _tag: "Killed",
        signal: "SIGTERM",
        stderr: "",
      },
    ],
  ])("fails if the command %s", async (_what, script, reason) => {
    expect((await failureOf(config(script))).reason).toEqual(reason);
  });

  it.for(["", "link"])(
    "does not run as root if another user controls the configuration file that names it %s",
    async (kind, { skip }) => {
      if (process.geteuid?.() !== 0) skip("needs root");
      const configFile = join(folder, `config-of-another-user${kind}.toml`);
      const proof = join(folder, `proof${kind}`);
      if (kind === "link") await symlink("/etc/hostname", configFile);
      else await writeFile(configFile, "");
      await lchown(configFile, 12_345, 12_345);
      const one = {
        ...config(`require("fs").writeFileSync(${JSON.stringify(proof)}, "")`),
        configFile,
      };
      const error = await Effect.runPromise(Effect.flip(runTokenCommand(one)));
      expect(error).toMatchObject({ code: "LOGIN_OWNER_NOT_TRUSTED", ownerUid: 12_345 });
      expect(existsSync(proof)).toBe(false);
    },
  );

  it("fails if there is no such command, naming it but not its arguments", async () => {
    const error = await failureOf({
      ...config(""),
      command: "no-such-token-command",
      args: secrets("--secret=abc"),
    });
    expect(error.reason).toEqual({ _tag: "NotStarted", errno: "ENOENT" });
    expect(error.message).toContain('"no-such-token-command"');
    expect(JSON.stringify(error) + error.message).not.toContain("abc");
  });

  it("limits the timeout to what a timer can wait", async () => {
    const waiting = runTokenCommand(config('console.log("late")', { timeoutMs: 2 ** 31 }));
    expect(Redacted.value(await Effect.runPromise(waiting))).toBe("late");
  });

  it("kills the command when this process exits", async () => {
    const pidFile = join(folder, "left.pid");
    const script = `require("fs").writeFileSync(${JSON.stringify(pidFile)},String(process.pid));setInterval(()=>{},1000)`;
    const parent = `
      import * as Effect from "effect/Effect";
      import * as Redacted from "effect/Redacted";
      import { existsSync } from "node:fs";
      import { runTokenCommand } from ${JSON.stringify(new URL("../src/credentials/command-token.ts", import.meta.url).href)};
      const args = ["-e", ${JSON.stringify(script)}].map((arg) => Redacted.make(arg));
      void Effect.runPromiseExit(runTokenCommand({ command: process.execPath, args, timeoutMs: 60_000, refreshIntervalMs: 0 }));
      setInterval(() => { if (existsSync(${JSON.stringify(pidFile)})) process.exit(7); }, 20);`;
    const [exitCode] = await once(
      spawn(
        process.execPath,
        ["--conditions=@agent-auth/source", "--input-type=module", "-e", parent],
        { cwd: import.meta.dirname, stdio: "ignore" },
      ),
      "exit",
    );
    expect(exitCode).toBe(7);
    await expect.poll(async () => isAlive(Number(await readFile(pidFile, "utf8")))).toBe(false);
  });

  it("kills the command when no caller waits for it any more", async () => {
    const pidFile = join(folder, "interrupted.pid");
    const controller = new AbortController();
    const running = Effect.runPromise(
      runTokenCommand(
        config(
          `require("fs").writeFileSync(${JSON.stringify(pidFile)},String(process.pid));setInterval(()=>{},1000)`,
        ),
      ),
      { signal: controller.signal },
    );
    await expect.poll(() => readFile(pidFile, "utf8").catch(() => "")).not.toBe("");
    controller.abort();
    await expect(running).rejects.toThrow("All fibers interrupted without error");
    const pid = Number(await readFile(pidFile, "utf8"));
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

const token = (credential: Option.Option<Credential>) => {
  const one = Option.getOrNull(credential);
  return one?._tag === "Bearer" ? Redacted.value(one.token) : null;
};

describe("commandTokenAccess", () => {
  it("runs once for all callers, and keeps the token for its interval", async () => {
    const { script, runs } = counting("once");
    let nowMs = 0;
    const access = commandTokenAccess(config(script), { now: () => nowMs });
    expect(access.snapshot()).toBeNull();
    const all = await Promise.all(
      Array.from({ length: 50 }, () => Effect.runPromise(access.current)),
    );
    expect(new Set(all.map(token))).toEqual(new Set(["token-2"]));
    nowMs = 299_999;
    expect(token(await Effect.runPromise(access.current))).toBe("token-2");
    expect(access.snapshot()).not.toBeNull();
    expect(await runs()).toBe(1);
    nowMs = 300_000;
    expect(access.snapshot()).toBeNull();
    nowMs = -300_000; // The clock was set back, so the age of the token is unknown.
    expect(access.snapshot()).toBeNull();
    expect(token(await Effect.runPromise(access.current))).toBe("token-3");
  });

  it("keeps the token until a 401 if the interval is 0, and then runs once for all callers", async () => {
    const { script, runs } = counting("until-401");
    let nowMs = 0;
    const access = commandTokenAccess(config(script, { refreshIntervalMs: 0 }), {
      now: () => nowMs,
    });
    const first = Option.getOrThrow(await Effect.runPromise(access.current));
    nowMs = 10 ** 12;
    expect(access.snapshot()).toBe(first);
    const next = await Promise.all(
      Array.from({ length: 20 }, () => Effect.runPromise(access.recoverUnauthorized(first))),
    );
    expect(new Set(next.map(token))).toEqual(new Set(["token-3"]));
    expect(await runs()).toBe(2);
    expect(token(await Effect.runPromise(access.recoverUnauthorized(first)))).toBe("token-3");
    expect(await runs()).toBe(2);
  });

  it("recovers nothing if the command prints the same token again", async () => {
    const access = commandTokenAccess(config('console.log("same")'));
    const first = Option.getOrThrow(await Effect.runPromise(access.current));
    expect(await Effect.runPromise(access.recoverUnauthorized(first))).toEqual(Option.none());
  });

  it("runs again after a failure", async () => {
    const flag = join(folder, "flag");
    const script = `const f=require("fs");if(!f.existsSync(${JSON.stringify(flag)})){f.writeFileSync(${JSON.stringify(flag)},"");process.exit(1)}console.log("later")`;
    const access = commandTokenAccess(config(script));
    expect((await Effect.runPromise(Effect.flip(access.current))).code).toBe(
      "PROVIDER_TOKEN_COMMAND_FAILED",
    );
    expect(token(await Effect.runPromise(access.current))).toBe("later");
  });
});

/** A killed orphan may stay a zombie until it is reaped. It does not run any more. */
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
};
