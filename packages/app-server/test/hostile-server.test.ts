import { once } from "node:events";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { connectStdio, createAppServerClient } from "../src/client/index.ts";
import { AppServerClosed, AppServerRequestFailed } from "../src/errors/index.ts";

/** A client whose server says what the test writes. */
const connected = () => {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  stdin.resume();
  return { client: createAppServerClient(connectStdio({ stdin, stdout })), stdout };
};

const MIB = 1024 * 1024;

const write = async (stdout: PassThrough, chunk: string) => {
  if (!stdout.write(chunk)) await Promise.race([once(stdout, "drain"), once(stdout, "close")]);
};

describe("a hostile app server", () => {
  it("that sends a line without end is left after 64 MiB", async () => {
    const { client, stdout } = connected();
    const answer = client.request("thread/read").then(String, (error: unknown) => error);
    const chunk = "x".repeat(MIB);
    let sent = 0;
    for (; sent < 80 && !stdout.destroyed; sent += 1) await write(stdout, chunk);
    expect(await answer).toBeInstanceOf(AppServerClosed);
    expect(sent).toBeLessThan(80);
  });

  it("whose answer of 16 MiB comes in small pieces costs less than two seconds of work", async () => {
    const { client, stdout } = connected();
    const answer = client.request("thread/read");
    const text = "é".repeat(8 * MIB);
    const line = Buffer.from(`{"id":1,"result":"${text}"}\n{"id":2,"resu`);
    const before = process.threadCpuUsage();
    for (let at = 0; at < line.length; at += 16_383) {
      if (!stdout.write(line.subarray(at, at + 16_383))) await once(stdout, "drain");
    }
    expect(await answer).toBe(text);
    const { system, user } = process.threadCpuUsage(before);
    expect(system + user).toBeLessThan(2_000_000); // microseconds
  });

  it.each([
    ["a terminal's window title", "no\u001b]0;owned\u0007", "no ]0;owned"],
    ["a second line", "no\nagent-auth: signed in", "no agent-auth: signed in"],
    ["text that runs backwards", "no \u202egnp.exe", "no gnp.exe"],
  ])("whose error contains %s makes an error of one plain line", async (_, message, shown) => {
    const { client, stdout } = connected();
    const answer = client.request("account/read").catch((error: unknown) => error);
    stdout.write(`${JSON.stringify({ id: 1, error: { code: -32603, message } })}\n`);
    const error = await answer;
    expect(error).toBeInstanceOf(AppServerRequestFailed);
    expect(String(error)).toContain(`account/read failed: ${shown} (-32603)`);
  });
});
