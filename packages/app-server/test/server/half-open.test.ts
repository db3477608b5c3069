import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { makeSessionHost } from "../../src/rpc/session.ts";
import { makeWebSocketServer } from "../../src/server/websocket-server.ts";
import { listeners } from "../support/listening.ts";
import { makeMethods } from "../support/methods.ts";
import { connectTo, frameHeader, rawClient, stillServes } from "../support/sockets.ts";

const request = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n";

describe("a client that does not finish its request", () => {
  it.each([
    ["sends nothing", ""],
    ["sends half a line", "GET / HT"],
    ["sends half a header", `${request}X-Slow: `],
    ["sends half a body", `${request}Content-Length: 10\r\n\r\nhalf`],
  ])("is disconnected after the time for a handshake (it %s)", async (_, text) => {
    const { server, stop } = makeWebSocketServer({
      host: makeSessionHost(makeMethods().open),
      isHostAllowed: () => true,
      checkAuthorization: () => undefined,
      handshakeTimeoutMs: 200,
    });
    onTestFinished(stop);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const socket = connectTo({ port });
    socket.on("error", () => {});
    socket.write(text);
    socket.resume();
    const [failed]: boolean[] = await once(socket, "close");
    expect(failed).toBe(false);
  });
});

describe.each(listeners)("half-open clients of $kind", ({ listen }) => {
  it.each([
    ["send nothing", ""],
    ["stop within a header", `${request}X-Slow: `],
    ["stop within a body", `${request}Content-Length: 10\r\n\r\nhalf`],
  ])("do not keep others out if 300 of them %s", async (_, text) => {
    await using server = await listen();
    const sockets = Array.from({ length: 300 }, () => {
      const socket = connectTo(server);
      socket.on("error", () => {});
      if (text !== "") socket.write(text);
      socket.resume();
      return socket;
    });
    await Promise.all(sockets.slice(0, 40).map((socket) => once(socket, "close")));
    expect(await stillServes(server)).toBe(true);
    for (const socket of sockets) socket.destroy();
  });

  it.each([
    ["half a request", request],
    ["nothing", ""],
  ])("are disconnected if they close their direction after %s", async (_, text) => {
    await using server = await listen();
    const socket = connectTo(server);
    socket.end(text);
    socket.resume();
    await once(socket, "close");
    expect(await stillServes(server)).toBe(true);
  });

  it.each([
    ["close their direction", Buffer.alloc(0), true],
    ["close their direction within a frame", frameHeader(1, 1000), true],
    ["send a close frame and then nothing", frameHeader(8, 0), false],
  ])("are gone soon after they %s", async (_, bytes, ends) => {
    await using server = await listen();
    const socket = await rawClient(server);
    socket.pause(); // so that it does not close its own direction when the server closes the other
    socket.write(bytes);
    if (ends) socket.end();
    await expect.poll(() => server.methods.closed.length, { timeout: 10_000 }).toBe(1);
    expect(await stillServes(server)).toBe(true);
    socket.destroy();
  });

  it.each([
    ["read nothing", Buffer.alloc(0)],
    ["stop within a frame", frameHeader(1, 1000)],
    ["stop within a message", Buffer.concat([frameHeader(1, 1, false), Buffer.from("{")])],
  ])("are disconnected when they do not answer a ping (they %s)", async (_, bytes) => {
    await using server = await listen({ pingEveryMs: 50 });
    const socket = await rawClient(server);
    socket.pause();
    socket.write(bytes);
    await expect.poll(() => server.methods.closed.length, { timeout: 10_000 }).toBe(1);
    expect(await stillServes(server)).toBe(true);
    socket.destroy();
  });
});
