import { PassThrough } from "node:stream";
import * as Effect from "effect/Effect";
import * as Logger from "effect/Logger";
import { describe, expect, it } from "vitest";
import { serveStdio } from "../../src/server/index.ts";
import { makeMethods } from "../support/methods.ts";

/** A server on two pipes. `end` closes its input and resolves to everything that it wrote. */
const start = () => {
  const methods = makeMethods();
  const input = new PassThrough({ highWaterMark: 64 * 1024 });
  const output = new PassThrough({ highWaterMark: 1024 });
  const warnings: string[] = [];
  const logger = Logger.make(({ message }) => {
    warnings.push([message].flat().map(String).join(" "));
  });
  const ended = Effect.runPromise(
    serveStdio({ open: methods.open, input, output }).pipe(
      Effect.provideService(Logger.CurrentLoggers, new Set([logger])),
    ),
  );
  let text = "";
  const read = () => output.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const lines = () => text.split("\n").slice(0, -1);
  const end = async () => {
    input.end();
    await ended;
    await new Promise((resolve) => setImmediate(resolve));
    return lines();
  };
  return { methods, input, output, warnings, ended, read, lines, end };
};

const request = (id: number, method = "echo", params: unknown = {}) =>
  `${JSON.stringify({ id, method, params })}\n`;

describe("serveStdio", () => {
  it("reads lines however they are cut into chunks", async () => {
    const server = start();
    server.read();
    const text = Buffer.from(request(1, "echo", "é€") + request(2) + request(3));
    for (const byte of text) server.input.write(Buffer.from([byte]));
    server.input.write(Buffer.concat([text, text]));
    expect(await server.end()).toEqual(
      [1, 2, 3, 1, 2, 3, 1, 2, 3].map((id) =>
        id === 1 ? '{"id":1,"result":"é€"}' : `{"id":${id},"result":{}}`,
      ),
    );
  });

  it("accepts CRLF, empty lines and a last line without newline", async () => {
    const server = start();
    server.read();
    server.input.write(
      '{"id":1,"method":"echo","params":1}\r\n\n\r\n{"id":2,"method":"echo","params":2}',
    );
    expect(await server.end()).toEqual(['{"id":1,"result":1}', '{"id":2,"result":2}']);
  });

  it("skips a line of more than 256 KiB with a warning, in one chunk or in many", async () => {
    const server = start();
    server.read();
    const long = Buffer.from(request(9, "echo", "x".repeat(300 * 1024)));
    server.input.write(Buffer.concat([long, Buffer.from(request(1))]));
    for (let at = 0; at < long.length; at += 1000) server.input.write(long.subarray(at, at + 1000));
    server.input.write(request(2));
    const lines = await server.end();
    expect(lines.slice(-1)).toEqual(['{"id":2,"result":{}}']);
    expect(lines).toContain('{"id":1,"result":{}}');
    expect(server.warnings).toContain("a message of more than 256 KiB was ignored");
  });

  it("skips such a line between two others of the same chunk", async () => {
    const server = start();
    server.read();
    const long = request(9, "echo", "x".repeat(300 * 1024));
    server.input.write(`${request(1)}${long}${request(2)}`);
    expect(await server.end()).toEqual(['{"id":1,"result":{}}', '{"id":2,"result":{}}']);
    expect(server.warnings).toEqual(["a message of more than 256 KiB was ignored"]);
  });

  it("does not keep a line that never ends", async () => {
    const server = start();
    server.read();
    const before = process.memoryUsage().rss;
    const part = Buffer.alloc(64 * 1024, 0x78);
    for (let count = 0; count < 4096; count++) {
      if (!server.input.write(part))
        await new Promise((resolve) => server.input.once("drain", resolve));
    }
    const growth = (process.memoryUsage().rss - before) / 1024 / 1024;
    expect(growth).toBeLessThan(64); // of 256 MiB
    server.input.write(`\n${request(1)}`);
    expect(await server.end()).toEqual(['{"id":1,"result":{}}']);
  });

  it("skips a line that is not UTF-8 with a warning, and answers those around it", async () => {
    const server = start();
    server.read();
    const bad = Buffer.concat([
      Buffer.from(request(1)),
      Buffer.from('{"id":2,"method":"echo","params":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}\n'),
      Buffer.from(request(3)),
    ]);
    server.input.write(bad);
    expect(await server.end()).toEqual(['{"id":1,"result":{}}', '{"id":3,"result":{}}']);
    expect(server.warnings).toEqual(["a message that is not UTF-8 was ignored"]);
  });

  it("answers the requests in progress when the input ends", async () => {
    const server = start();
    server.read();
    server.input.write(request(1, "never", "late"));
    server.input.end();
    setImmediate(() => server.methods.release());
    expect(await server.end()).toEqual(['{"id":1,"result":"late"}']);
    expect(server.methods.closed).toHaveLength(1);
  });

  it("ends within 2 seconds if a request is never answered", async () => {
    const server = start();
    server.read();
    server.input.write(request(1, "never"));
    const before = performance.now();
    expect(await server.end()).toEqual([]);
    expect(performance.now() - before).toBeLessThan(2000);
  });

  it("ends within 2 seconds if the client does not read", async () => {
    const server = start();
    for (let id = 0; id < 100; id++) server.input.write(request(id, "echo", "x".repeat(1000)));
    const before = performance.now();
    server.input.end();
    await server.ended;
    expect(performance.now() - before).toBeLessThan(2000);
  });

  it("ends if the client has closed its end", async () => {
    const server = start();
    server.output.destroy(new Error("EPIPE"));
    await server.ended;
    expect(server.methods.closed).toHaveLength(1);
  });

  it("does not read from a client that does not read", async () => {
    const server = start();
    const sent = request(1, "echo", "x".repeat(1000));
    let count = 0;
    while (count < 5000 && !server.input.isPaused()) {
      server.input.write(sent);
      count += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(count).toBeLessThan(400);
    server.read();
    await new Promise((resolve) => setImmediate(resolve));
    expect(server.input.isPaused()).toBe(false);
    expect(await server.end()).toHaveLength(count);
  });

  it("stops serving a client that leaves more than 1 MiB of notifications unread", async () => {
    const server = start();
    await expect.poll(() => server.methods.clients.length, { timeout: 10_000 }).toBe(1);
    const [client] = server.methods.clients;
    for (let count = 0; count < 40; count++)
      client?.notify("told", { text: "x".repeat(32 * 1024) });
    await server.ended;
    expect(server.methods.closed).toEqual([client]);
  });
});
