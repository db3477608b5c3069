import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { startWebSocket } from "../support/listening.ts";
import { growthOf } from "../support/memory.ts";
import { Client, frameHeader, plain, rawClient, stillServes } from "../support/sockets.ts";

describe("a hostile client", () => {
  it("that sends frames without a mask is disconnected with 1002", async () => {
    await using server = await startWebSocket();
    const socket = await rawClient(server);
    socket.write(Buffer.from([0x81, 0x02, 0x7b, 0x7d]));
    const [close]: Buffer[] = await once(socket, "data");
    expect(close?.readUInt16BE(2)).toBe(1002);
    socket.destroy();
  });

  it("that sends headers without end gets 431", async () => {
    await using server = await startWebSocket();
    const answer = await plain(server, "/readyz", { headers: { "X-Long": "x".repeat(20_000) } });
    expect(answer.status).toBe(431);
  });

  it("that answers pings stays connected", async () => {
    await using server = await startWebSocket({ pingEveryMs: 30 });
    using client = await Client.open(server);
    for (let count = 0; count < 5; count++) await once(client.socket, "ping");
    client.send({ id: 1, method: "echo" });
    expect(await client.received(1)).toHaveLength(1);
  });

  it("that floods without reading is not read from, and memory stays bounded", async () => {
    await using server = await startWebSocket();
    const socket = await rawClient(server);
    socket.pause();
    const payload = Buffer.from(JSON.stringify({ id: 1, method: "echo", params: "x".repeat(100) }));
    const frame = Buffer.concat([frameHeader(1, payload.length), payload]);
    const many = Buffer.concat(Array.from({ length: 1000 }, () => frame));
    let isBlocked = false;
    const growth = await growthOf(async () => {
      for (let count = 0; count < 500 && !isBlocked; count++) {
        if (!socket.write(many))
          isBlocked = await Promise.race([
            once(socket, "drain").then(() => false),
            new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 1500)),
          ]);
      }
    });
    expect(isBlocked).toBe(true); // 70 MB would have been sent
    expect(growth).toBeLessThan(16);
    expect(await stillServes(server)).toBe(true);
    socket.destroy();
  });

  it("that does not read its notifications is disconnected", async () => {
    await using server = await startWebSocket();
    const socket = await rawClient(server);
    socket.pause();
    const [client] = server.methods.clients;
    for (let count = 0; count < 2000 && server.methods.closed.length === 0; count++) {
      client?.notify("told", { text: "x".repeat(32 * 1024) });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(server.methods.closed).toEqual([client]);
    expect(await stillServes(server)).toBe(true);
    socket.destroy();
  });

  it("that sends a nested message with an id beyond 2^53 gets no answer; the server stays up", async () => {
    await using server = await startWebSocket();
    using client = await Client.open(server);
    const nested = "[".repeat(100_000) + "]".repeat(100_000);
    client.send(`{"id":9007199254740993,"method":"echo","params":${nested}}`);
    client.send({ id: 1, method: "echo", params: "next" });
    expect(await client.received(1)).toEqual(['{"id":1,"result":"next"}']);
    expect(await stillServes(server)).toBe(true);
  });

  it("that sends 100,000 pings gets answers or is not read from; the server stays up", async () => {
    await using server = await startWebSocket();
    const socket = await rawClient(server);
    const ping = Buffer.concat([frameHeader(9, 0)]);
    socket.write(Buffer.concat(Array.from({ length: 100_000 }, () => ping)));
    socket.resume();
    expect(await stillServes(server)).toBe(true);
    socket.destroy();
  });

  it("that sends 100,000 requests with its own ids gets 100,000 answers", async () => {
    await using server = await startWebSocket();
    using client = await Client.open(server);
    const growth = await growthOf(async () => {
      let answered = 0;
      client.socket.on("message", () => {
        answered += 1;
        client.messages.length = 0;
      });
      for (let id = 0; id < 100_000; id++) {
        client.send(`{"id":"id-${id}","method":"echo"}`);
        if (id - answered > 500) await once(client.socket, "message");
      }
      await expect.poll(() => answered, { timeout: 30_000 }).toBe(100_000);
    });
    expect(growth).toBeLessThan(16);
  });
});
