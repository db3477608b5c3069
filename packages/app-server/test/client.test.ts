import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { connectStdio, createAppServerClient } from "../src/client/index.ts";

/** A client, and the server's ends of its streams. */
const open = () => {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const sent: Array<string> = [];
  stdin.setEncoding("utf8");
  stdin.on("data", (text: string) => sent.push(...text.trim().split("\n")));
  const client = createAppServerClient(connectStdio({ stdin, stdout }));
  const say = (message: object) => stdout.write(`${JSON.stringify(message)}\n`);
  return { client, sent, say, stdout };
};

describe("a call", () => {
  it("resolves to the checked result", async () => {
    const { client, say } = open();
    const read = client.call("account/login/cancel", { loginId: "x" });
    say({ id: 1, result: { status: "notFound", newer: true } });
    expect(await read).toEqual({ status: "notFound" });
  });

  it("rejects with the server's error", async () => {
    const { client, say } = open();
    const read = client.call("account/read", {});
    say({ id: 1, error: { code: -32600, message: "Not initialized", data: { code: "X" } } });
    await expect(read).rejects.toMatchObject({
      code: "APP_SERVER_REQUEST_FAILED",
      message: "account/read failed: Not initialized (-32600)",
      rpcCode: -32600,
      data: { code: "X" },
    });
  });

  it("rejects if the result does not match the schema, and names the member", async () => {
    const { client, say } = open();
    const read = client.call("account/read", {});
    say({ id: 1, result: { account: null, userId: null, requiresOpenaiAuth: "secret" } });
    await expect(read).rejects.toMatchObject({
      code: "APP_SERVER_ANSWER_INVALID",
      message: expect.not.stringContaining("secret"),
    });
  });

  it("rejects if the connection closes first", async () => {
    const { client, stdout } = open();
    const read = client.call("account/read", {});
    stdout.destroy();
    await expect(read).rejects.toMatchObject({ code: "APP_SERVER_CLOSED", method: "account/read" });
    await client.closed;
    await expect(client.request("account/read")).rejects.toMatchObject({
      code: "APP_SERVER_CLOSED",
    });
  });

  it("rejects with the reason of an abort", async () => {
    const { client } = open();
    const abort = new AbortController();
    const read = client.call("account/read", {}, { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(read).rejects.toThrow("enough");
  });
});

describe("requests of the server", () => {
  it("are answered by their handler, also with an error that it throws", async () => {
    const { client, say, sent } = open();
    client.handle("ask", (params) => ({ got: params }));
    client.handle("refuse", () => {
      throw { code: -32000, message: "no" };
    });
    client.handle("fail", () => {
      throw new Error("sk-secret");
    });
    say({ id: 7, method: "ask", params: { a: 1 } });
    say({ id: "x", method: "refuse" });
    say({ id: 9, method: "fail" });
    await expect.poll(() => sent.length).toBe(3);
    const answers = sent.map((line): unknown => JSON.parse(line));
    expect(new Set(answers)).toEqual(
      new Set([
        { id: 7, result: { got: { a: 1 } } },
        { id: "x", error: { code: -32000, message: "no" } },
        { id: 9, error: { code: -32603, message: "the client could not answer" } },
      ]),
    );
  });

  it("are not answered without a handler: another client may be the one to answer", async () => {
    const { client, say, sent } = open();
    say({ id: 1, method: "account/chatgptAuthTokens/refresh", params: {} });
    client.notify("after");
    await expect.poll(() => sent.length).toBe(1);
    expect(sent).toEqual(['{"method":"after"}']);
  });
});

it("messages that are cut at any place, and lines that are not messages, do no harm", async () => {
  const { client, stdout } = open();
  const read = client.call("account/login/cancel", { loginId: "x" });
  const text = 'no json\n[]\n{"id":1,"result":{"status":"canceled"}}\n';
  for (const character of text) stdout.write(character);
  expect(await read).toEqual({ status: "canceled" });
});
