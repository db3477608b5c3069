import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { CliHome, ended } from "./support/cli.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

/** `api --input` on a named pipe whose writer is ours, under way: what was written first has come back. */
const start = async () => {
  const home = await CliHome.make(`openai_base_url = "${authority.openaiBaseUrl}"\n`);
  const pipe = join(home.path, "pipe");
  execFileSync("mkfifo", [pipe]);
  const env = { CODEX_API_KEY: authority.addApiKey() };
  const child = home.spawn(["api", "echo", "--input", pipe], { env });
  const end = ended(child);
  // Succeeds once there is a reader.
  const writer = await vi.waitFor(() => open(pipe, constants.O_WRONLY | constants.O_NONBLOCK), {
    timeout: 8000,
    interval: 20,
  });
  await writer.write("first");
  const first = await new Promise((resolve) => child.stdout.once("data", resolve));
  expect(String(first)).toBe("first");
  return {
    child,
    end,
    writer,
    [Symbol.asyncDispose]: async () => {
      await writer.close();
      await end;
      await home[Symbol.asyncDispose]();
    },
  };
};

describe.skipIf(process.platform === "win32")("api, its body from a named pipe", () => {
  it("streams what is written to it, also long after it was opened", async () => {
    await using running = await start();
    await running.writer.write("second");
    await running.writer.close();
    expect(await running.end).toMatchObject({ exitCode: 0, stdout: "firstsecond" });
  });

  it.each([
    ["SIGINT", 2],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("ends at once on %s while it waits for more input", async (signal, exitCode) => {
    await using running = await start();
    running.child.kill(signal);
    expect(await running.end).toMatchObject({ exitCode, signal: null, stdout: "first" });
  });
});
