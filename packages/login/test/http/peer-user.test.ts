import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { peerUserId } from "@agent-auth/login/http/peer-user";

let server: Server;
let port: number;
const clients: Array<Socket> = [];

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  port = typeof address === "object" ? (address?.port ?? 0) : 0;
});
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  server.close();
});

/** Both ends of a connection, after the server received a byte. */
const connected = async (
  options: {
    readonly host?: string;
    readonly localAddress?: string;
    readonly localPort?: number;
  } = {},
) => {
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const client = connect({ host: "127.0.0.1", ...options, port });
  client.write("x");
  const socket = await accepted;
  clients.push(client, socket);
  await new Promise((resolve) => socket.once("data", resolve));
  return { client, socket };
};

describe.runIf(process.platform === "linux")("peerUserId", () => {
  it.each(["127.0.0.1", "::ffff:127.0.0.1"])("returns the user of a client on %s", async (host) => {
    const { socket } = await connected({ host });
    expect(peerUserId(socket)).toBe(process.getuid?.());
  });

  it("returns the user of a client that has only ended its side", async () => {
    const { client, socket } = await connected();
    client.end();
    await new Promise((resolve) => socket.once("end", resolve));
    expect(peerUserId(socket)).toBe(process.getuid?.());
  });

  it("returns null once the client has closed its socket, whose user is 0 from then on", async () => {
    const { client, socket } = await connected();
    client.destroy();
    await new Promise((resolve) => socket.once("end", resolve));
    expect(peerUserId(socket)).toBeNull();
  });

  it("returns the user of each of many connections, on whatever page of the table", async () => {
    const sockets: Array<Socket> = [];
    for (let at = 0; at < 80; at += 1) sockets.push((await connected()).socket);
    expect(new Set(sockets.map(peerUserId))).toEqual(new Set([process.getuid?.()]));
  });

  it.each([
    ["remoteAddress", "127.0.0.2"],
    ["localAddress", "127.0.0.3"],
    ["remotePort", 1],
  ])("returns null for a connection that differs in %s", async (name, value) => {
    const { localAddress, localPort, remoteAddress, remotePort } = (await connected()).socket;
    const own = { localAddress, localPort, remoteAddress, remotePort };
    expect(peerUserId(own)).toBe(process.getuid?.());
    expect(peerUserId({ ...own, [name]: value })).toBeNull();
  });

  it.each([
    ["another IPv6 address", { remoteAddress: "::2" }],
    ["the other end over IPv6", { remoteAddress: "::1" }],
    ["no address", { remoteAddress: undefined }],
  ])("returns null for %s", async (_, other) => {
    const { localAddress, localPort, remotePort } = (await connected()).socket;
    expect(peerUserId({ localAddress, localPort, remotePort, ...other })).toBeNull();
  });
});
