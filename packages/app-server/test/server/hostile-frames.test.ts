import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { listeners } from "../support/listening.ts";
import { growthOf } from "../support/memory.ts";
import { Client, frameHeader, rawClient, stillServes } from "../support/sockets.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** A whole frame, or a fragment of a message. */
const frame = (opcode: number, payload: Uint8Array, isFinal = true): Buffer =>
  Buffer.concat([frameHeader(opcode, payload.length, isFinal), payload]);

/** The code of the close frame that the server sends next. */
const closeCode = async (socket: Socket): Promise<number | undefined> => {
  const [close]: Buffer[] = await once(socket, "data");
  expect(close?.[0]).toBe(0x88);
  return close?.readUInt16BE(2);
};

const TEXT = 1;
const CONTINUATION = 0;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;

describe.each(listeners)("a client of $kind", ({ listen }) => {
  it.each([
    ["a frame of 1 GiB", 1009, [frameHeader(TEXT, GIB)]],
    ["a binary frame of 1 GiB", 1009, [frameHeader(BINARY, GIB)]],
    ["a frame of 2^60 bytes", 1009, [frameHeader(TEXT, 2 ** 60)]],
    ["a first fragment of 1 GiB", 1009, [frameHeader(TEXT, GIB, false)]],
    [
      "a second fragment of 1 GiB",
      1009,
      [frame(TEXT, Buffer.from("{"), false), frameHeader(CONTINUATION, GIB)],
    ],
    ["a ping of 1 GiB", 1002, [frameHeader(PING, GIB)]],
  ])("that announces %s is disconnected with %i before it sends it", async (_, code, frames) => {
    await using server = await listen();
    const growth = await growthOf(async () => {
      for (let count = 0; count < 10; count++) {
        const socket = await rawClient(server);
        socket.write(Buffer.concat(frames));
        expect(await closeCode(socket)).toBe(code);
        socket.destroy();
      }
    });
    expect(growth).toBeLessThan(8);
    expect(await stillServes(server)).toBe(true);
  });

  it.each([
    ["in one frame", frameHeader(TEXT, GIB), Buffer.alloc(MIB, 0x20)],
    [
      "in fragments of 64 KiB",
      frame(TEXT, Buffer.from(" "), false),
      Buffer.concat(
        Array.from({ length: 16 }, () => frame(CONTINUATION, Buffer.alloc(65_536, 0x20), false)),
      ),
    ],
    [
      "in fragments of one byte",
      frame(TEXT, Buffer.from(" "), false),
      Buffer.concat(
        Array.from({ length: 150_000 }, () => frame(CONTINUATION, Buffer.from(" "), false)),
      ),
    ],
  ])("that sends 1 GiB %s without reading is cut off", async (_, start, part) => {
    await using server = await listen();
    const growth = await growthOf(async () => {
      const socket = await rawClient(server);
      const closed = once(socket, "close");
      socket.write(start);
      for (let sent = 0; sent < 1024 && socket.writable; sent++) {
        if (socket.write(part)) continue;
        await Promise.race([once(socket, "drain"), closed]);
      }
      socket.resume();
      await closed;
      expect(server.methods.received).toEqual([]);
    });
    expect(growth).toBeLessThan(8);
    expect(await stillServes(server)).toBe(true);
  });

  it.each([
    ["text", [frame(TEXT, Buffer.from([0xff, 0xfe]))]],
    ["an overlong form", [frame(TEXT, Buffer.from([0xc0, 0xaf]))]],
    ["half of a surrogate pair", [frame(TEXT, Buffer.from([0xed, 0xa0, 0x80]))]],
    ["a character without its last byte", [frame(TEXT, Buffer.from([0xe2, 0x82]))]],
    [
      "two fragments that make no character",
      [frame(TEXT, Buffer.from([0xc3]), false), frame(CONTINUATION, Buffer.from([0x28]))],
    ],
    ["the reason of a close frame", [frame(CLOSE, Buffer.from([0x03, 0xe8, 0xff]))]],
  ])("that sends bytes that are not UTF-8 is disconnected with 1007 (%s)", async (_, frames) => {
    await using server = await listen();
    const socket = await rawClient(server);
    socket.write(Buffer.concat(frames));
    expect(await closeCode(socket)).toBe(1007);
    socket.destroy();
    expect(await stillServes(server)).toBe(true);
  });

  it("may cut a character into two fragments, and send half of a surrogate pair as an escape", async () => {
    await using server = await listen();
    using client = await Client.open(server);
    const text = Buffer.from('{"id":1,"method":"echo","params":"€"}');
    const middle = text.indexOf(0xe2) + 1;
    client.socket.send(text.subarray(0, middle), { binary: false, fin: false });
    client.socket.send(text.subarray(middle), { binary: false, fin: true });
    client.send(String.raw`{"id":"\ud800","method":"echo","params":2}`);
    expect(await client.received(2)).toEqual([
      '{"id":1,"result":"€"}',
      String.raw`{"id":"\ud800","result":2}`,
    ]);
  });
});
