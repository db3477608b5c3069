import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentAuth, CliHome } from "./support/cli.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

/** Runs a command whose stdout is a device on which every write fails with ENOSPC, as a full disk does. */
const toFullDisk = (home: CliHome, args: readonly string[]) =>
  inShell(home, `exec "$0" "$@" > /dev/full`, args);

const inShell = async (home: CliHome, line: string, args: readonly string[]) => {
  const env = home.env({ CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() });
  const child = spawn("bash", ["-c", line, ...agentAuth, ...args], {
    env,
    stdio: ["pipe", "ignore", "pipe"],
  });
  child.stdin.end(env["CODEX_AGENT_IDENTITY"]);
  const chunks: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  const exitCode = await new Promise((resolve) => child.once("close", resolve));
  return { exitCode, stderr: Buffer.concat(chunks).toString() };
};

describe.skipIf(!existsSync("/dev/full"))("a disk that is full", () => {
  it.each(
    [
      "api models",
      "api models --include",
      "token",
      "token --json",
      "headers",
      "verify",
      "verify --json",
      "decode",
      "jwks",
      "doctor",
      "doctor --json",
      "login status --json",
      "accounts list --json",
      "proxy",
      "completion bash",
      "token --help",
      "--help",
      "-q --version",
    ].map((line) => [line]),
  )("fails %s with one line and 1", async (line) => {
    await using home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
    const { exitCode, stderr } = await toFullDisk(home, line.split(" "));
    expect(stderr).toBe(
      "Cannot write to stdout (ENOSPC). The output is incomplete. Free some space, or write it elsewhere.\n",
    );
    expect(exitCode).toBe(1);
  });

  it("fails --version, which the launcher answers alone", async () => {
    await using home = await CliHome.make();
    const { exitCode, stderr } = await toFullDisk(home, ["--version"]);
    expect([exitCode, stderr]).toEqual([1, "Cannot write to stdout (ENOSPC).\n"]);
  });

  it("fails an answer that fits a file in part only", async () => {
    await using home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
    authority.behave("models", { oversizedBytes: 300_000 }, { times: 1 });
    const file = join(home.path, "answer.json");
    // 100 KiB, and an error instead of a signal where they are over.
    const line = `trap "" XFSZ; ulimit -f 100; exec "$0" "$@" > "${file}"`;
    const { exitCode, stderr } = await inShell(home, line, ["api", "models"]);
    expect(stderr).toMatch(/^Cannot write to stdout \(EFBIG\)\. The output is incomplete\./u);
    expect(exitCode).toBe(1);
    expect((await stat(file)).size).toBe(102_400);
  });

  it("does not hide what went wrong before", async () => {
    await using home = await CliHome.make("broken = \n");
    const { exitCode, stderr } = await toFullDisk(home, ["token"]);
    expect(stderr).toMatch(/^Error getting a token: .*config\.toml:1/u);
    expect(exitCode).toBe(1);
  });

  it("does not change the exit code if it is stderr's", async () => {
    await using home = await CliHome.make();
    const child = spawn("bash", ["-c", `exec "$0" "$@" 2> /dev/full`, ...agentAuth, "no-such"], {
      env: home.env(),
      stdio: "ignore",
    });
    expect(await new Promise((resolve) => child.once("close", resolve))).toBe(2);
  });
});
