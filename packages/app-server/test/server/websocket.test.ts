import { spawn } from "node:child_process";
import { once } from "node:events";
import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { ListenerWithoutAuth, ListenFailed } from "../../src/errors/listener.ts";
import { listenOnWebSocket } from "../../src/server/index.ts";
import { makeMethods } from "../support/methods.ts";
import { startWebSocket } from "../support/listening.ts";
import { Client, handshake, plain } from "../support/sockets.ts";

describe("probes and plain requests", () => {
  it.each([
    ["GET", "/readyz", {}, 200, ""],
    ["GET", "/healthz", {}, 200, ""],
    ["HEAD", "/healthz", {}, 200, ""],
    ["GET", "/readyz?verbose", {}, 200, ""],
    ["POST", "/readyz", {}, 405, ""],
    ["GET", "/readyz", { Origin: "http://x" }, 403, ""],
    ["GET", "/healthz", { Origin: "null" }, 403, ""],
    ["GET", "/", {}, 400, "Connection header did not include 'upgrade'"],
    ["GET", "/other", {}, 400, "Connection header did not include 'upgrade'"],
    ["POST", "/", {}, 405, "Request method must be `GET`"],
    ["GET", "/readyz", { Host: "evil.example" }, 421, "the Host header does not name this server"],
  ])("%s %s with %j gets %d %j", async (method, path, headers, status, body) => {
    await using server = await startWebSocket();
    expect(await plain(server, path, { method, headers })).toEqual({ status, body });
  });

  it("need no token", async () => {
    await using server = await startWebSocket({
      auth: { _tag: "CapabilityToken", sha256: new Uint8Array(32) },
    });
    expect(await plain(server, "/readyz")).toEqual({ status: 200, body: "" });
    expect(await handshake(server)).toMatchObject({ status: 401 });
  });
});

describe("the handshake", () => {
  it.each([
    ["any path and query", {}, "/any/path?x=1", 101],
    ["a subprotocol that is offered", { "Sec-WebSocket-Protocol": "a, b" }, "/", 101],
    ["Host localhost with another port, as of an SSH tunnel", { Host: "localhost:9" }, "/", 101],
    ["Host [::1]", { Host: "[::1]:4500" }, "/", 101],
    ["Host 127.0.0.2", { Host: "127.0.0.2" }, "/", 101],
    ["Host LOCALHOST", { Host: "LOCALHOST" }, "/", 101],
    ["an Origin", { Origin: "http://localhost" }, "/", 403],
    ["an empty Origin", { Origin: "" }, "/", 403],
    ["a foreign Host", { Host: "evil.example" }, "/", 421],
    ["a Host that only begins as a loopback name", { Host: "127.0.0.1.evil.example" }, "/", 421],
    ["a Host that only ends as a loopback name", { Host: "evil-localhost" }, "/", 421],
    ["an empty Host", { Host: "" }, "/", 421],
    ["two Hosts", { Host: ["127.0.0.1", "evil.example"] }, "/", 400],
    ["another protocol", { Upgrade: "h2c" }, "/", 400],
    ["no key", { "Sec-WebSocket-Key": [] }, "/", 400],
    ["an old version", { "Sec-WebSocket-Version": "7" }, "/", 400],
  ])("with %s", async (_, headers, path, status) => {
    await using server = await startWebSocket();
    expect((await handshake(server, headers, path)).status).toBe(status);
  });

  it("accepts a configured Host besides the loopback names", async () => {
    await using server = await startWebSocket({ allowedHosts: ["App.internal"] });
    expect((await handshake(server, { Host: "app.internal:80" })).status).toBe(101);
    expect((await handshake(server, { Host: "localhost" })).status).toBe(101);
    expect((await handshake(server, { Host: "other.internal" })).status).toBe(421);
  });

  it("on a non-loopback address accepts any Host, or only those that are configured", async () => {
    const auth = { _tag: "CapabilityToken", sha256: new Uint8Array(32) } as const;
    await using every = await startWebSocket({ host: "0.0.0.0", auth });
    expect((await handshake(every, { Host: "app.example" })).status).toBe(401);
    await using some = await startWebSocket({
      host: "0.0.0.0",
      auth,
      allowedHosts: ["app.example"],
    });
    expect((await handshake(some, { Host: "app.example" })).status).toBe(401);
    expect((await handshake(some, { Host: "localhost" })).status).toBe(421);
  });

  it("serves IPv6", async () => {
    await using server = await startWebSocket({ host: "::1" });
    expect(server.address).toBe(`[::1]:${server.port}`);
  });
});

const fails = (host: string, port: number) =>
  Effect.runPromise(
    Effect.flip(
      Effect.scoped(
        listenOnWebSocket({ open: makeMethods().open, host, port, auth: { _tag: "None" } }),
      ),
    ),
  );

describe("listening", () => {
  it.each(["0.0.0.0", "192.0.2.1", "::", "::ffff:127.0.0.1"])(
    "on %s without authentication is refused",
    async (host) => {
      const error = await fails(host, 4500);
      expect(error).toBeInstanceOf(ListenerWithoutAuth);
      expect(error.message).toContain("refusing to start non-loopback websocket listener ");
      expect(error.hint).toBeUndefined();
    },
  );

  it("on a port in use fails with the reason", async () => {
    await using server = await startWebSocket();
    const error = await fails("127.0.0.1", server.port);
    expect(error).toBeInstanceOf(ListenFailed);
    expect(error.message).toBe(
      `cannot listen on ws://127.0.0.1:${server.port}: the address is in use`,
    );
  });

  it("ends with its scope: clients get 1001 and new connections are refused", async () => {
    const server = await startWebSocket();
    using client = await Client.open(server);
    const closed = client.closed();
    await server.close();
    expect(await closed).toBe(1001);
    await expect(plain(server, "/readyz")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    expect(server.methods.closed).toHaveLength(1);
  });
});

describe("messages", () => {
  it("go one per text frame; other frames and texts get no answer", async () => {
    await using server = await startWebSocket();
    using client = await Client.open(server);
    client.send("not json");
    client.send('{"id":1,"method":"echo"}\n{"id":2,"method":"echo"}');
    client.socket.send(Buffer.from('{"id":3,"method":"echo"}'));
    client.send({ id: 4, method: "echo", params: { a: 1 } });
    expect(await client.received(1)).toEqual(['{"id":4,"result":{"a":1}}']);
  });

  it("of one client do not reach the other", async () => {
    await using server = await startWebSocket();
    using a = await Client.open(server);
    using b = await Client.open(server);
    a.send({ id: 1, method: "echo", params: "a" });
    b.send({ id: 1, method: "echo", params: "b" });
    expect(await a.received(1)).toEqual(['{"id":1,"result":"a"}']);
    expect(await b.received(1)).toEqual(['{"id":1,"result":"b"}']);
  });

  it("to clients have ids that are counted per server", async () => {
    await using server = await startWebSocket();
    using a = await Client.open(server);
    using b = await Client.open(server);
    const [toA, toB] = server.methods.clients;
    const { signal } = new AbortController();
    const first = toA?.request("ask", {}, signal);
    const second = toB?.request("ask", {}, signal);
    await a.received(1);
    await b.received(1);
    expect(b.messages).toEqual(['{"id":1,"method":"ask","params":{}}']);
    // An id of another client's request answers nothing.
    b.send({ id: 0, result: "from b" });
    b.send({ id: 1, result: "b" });
    a.send({ id: 0, result: "a" });
    expect(await second).toBe("b");
    expect(await first).toBe("a");
  });
});

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log("skipped: only root can act for another user");

/** What another user of this machine gets from `GET /readyz`. */
const asOtherUser = async (host: string, port: number): Promise<string> => {
  const script = `
    const socket = require("net").connect(${port}, ${JSON.stringify(host)});
    socket.on("connect", () => socket.write("GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n"));
    socket.on("data", (data) => process.stdout.write(data));
    socket.on("error", () => {});
  `;
  const options = { uid: 65534, gid: 65534, cwd: "/", env: {} };
  const child = spawn(process.execPath, ["-e", script], {
    ...options,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (data: Buffer) => (output += data.toString()));
  await once(child, "close");
  return output.split("\r\n")[0] ?? "";
};

describe.skipIf(!isRoot || process.platform !== "linux")("another user of this machine", () => {
  const none = { _tag: "None" } as const;
  const token = { _tag: "CapabilityToken", sha256: new Uint8Array(32) } as const;
  it.each([
    ["is disconnected by a listener without authentication", "127.0.0.1", { auth: none }, ""],
    ["is disconnected by one on IPv6", "::1", { auth: none }, ""],
    [
      "may connect if that was asked for",
      "127.0.0.1",
      { auth: none, allowOtherUsers: true },
      "HTTP/1.1 200 OK",
    ],
    ["may connect to a listener with a token", "127.0.0.1", { auth: token }, "HTTP/1.1 200 OK"],
  ])("%s", async (_, host, options, expected) => {
    await using server = await startWebSocket({ host, ...options });
    expect(await asOtherUser(host, server.port)).toBe(expected);
  });

  it.each(["127.0.0.1", "::1"])("does not keep this user out (%s)", async (host) => {
    await using server = await startWebSocket({ host, auth: none });
    expect((await fetch(`http://${server.address}/readyz`)).status).toBe(200);
  });
});
