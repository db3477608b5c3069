// 1,000 clients on WebSockets: what they add to the memory of the server, and how long a notification takes to reach all of
// them, from the answer to the request that causes it to the last client.
import { fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { makeBench } from "@agent-auth/tools/bench";
import { nodeArgs, serverScript } from "./stdio.ts";

const clients = 1000;
const rounds = 12;
const mib = 1024 ** 2;

/** A masked text frame (RFC 6455 §5.2); the mask is zero. */
const frame = (message: object): Buffer => {
  const payload = Buffer.from(JSON.stringify(message));
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x81, ...size, 0, 0, 0, 0]), payload]);
};

const upgrade =
  "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const initialize = frame({
  id: 0,
  method: "initialize",
  params: { clientInfo: { name: "bench", version: "1" } },
});

/** A client on a plain socket, so that the clients' own work disturbs the server little. */
const openClient = async (port: number): Promise<Socket> => {
  const socket = connect(port, "127.0.0.1");
  socket.write(upgrade);
  await once(socket, "data");
  socket.write(initialize);
  await once(socket, "data");
  return socket;
};

/** Resolves when the client has received this text, to the time. */
const received = (socket: Socket, text: string): Promise<number> =>
  new Promise((resolve) => {
    const listen = (chunk: Buffer) => {
      if (!chunk.includes(text)) return;
      socket.off("data", listen);
      resolve(performance.now());
    };
    socket.on("data", listen);
  });

export const benchClients = async (
  bench: ReturnType<typeof makeBench>,
  home: string,
): Promise<void> => {
  const server = fork(serverScript, ["account", "ws"], {
    execArgv: nodeArgs,
    env: { ...process.env, CODEX_HOME: home },
  });
  const [port]: number[] = await once(server, "message");
  if (port === undefined) throw new Error("the server sent no port");
  /** The resident set, and what is in use of it: the first may hide growth, because part of it is unused. */
  const memory = async (): Promise<readonly number[]> => {
    server.send("memory");
    const [figures]: number[][] = await once(server, "message");
    return figures ?? [];
  };
  const first = await openClient(port);
  const sockets = [first];
  const before = await memory();
  while (sockets.length <= clients)
    sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => openClient(port)))));
  const after = await memory();
  const grown = Math.max(...after.map((bytes, at) => bytes - (before[at] ?? 0)));
  bench.record(
    "memory of 1,000 clients",
    `${(grown / mib).toFixed(0)} MiB`,
    "≤ 100 MiB",
    grown <= 100 * mib,
  );

  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const answered = received(first, `"id":${round + 1},`);
    const reached = sockets.map((socket) => received(socket, "account/updated"));
    const params = { type: "apiKey", apiKey: `sk-bench-${round}` };
    first.write(frame({ id: round + 1, method: "account/login/start", params }));
    times.push(Math.max(...(await Promise.all(reached))) - (await answered));
  }
  const fastest = times.toSorted((a, b) => a - b).slice(0, rounds >> 2);
  const ms = fastest.reduce((sum, time) => sum + time, 0) / fastest.length;
  bench.record("1,000 clients know of a login after", `${ms.toFixed(0)} ms`, "≤ 100 ms", ms <= 100);
  for (const socket of sockets) socket.destroy();
  const exit = once(server, "exit");
  server.disconnect();
  await exit;
};
