import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";

/** Where a server listens: a port of 127.0.0.1, or a Unix socket. */
export type Target = { readonly port: number } | { readonly socketPath: string };

/** A connection without a handshake. */
export const connectTo = (target: Target): Socket =>
  "port" in target ? connect(target.port, "127.0.0.1") : connect(target.socketPath);

const headersOf = (headers: Readonly<Record<string, string | readonly string[]>>) =>
  Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${one}`),
  );

/** Asks for a WebSocket by hand, so that any header can be sent. Resolves to the status and the body. */
export const handshake = (
  target: Target,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
  path = "/",
): Promise<{ readonly status: number; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const socket = connectTo(target);
    const all = {
      Host: "127.0.0.1",
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    };
    socket.write([`GET ${path} HTTP/1.1`, ...headersOf(all), "", ""].join("\r\n"), "latin1");
    let text = "";
    const done = () => {
      const status = Number(/^HTTP\/1\.1 (\d+)/u.exec(text)?.[1] ?? 0);
      resolve({ status, body: text.split("\r\n\r\n")[1] ?? "" });
    };
    socket.on("data", (chunk) => {
      text += chunk.toString();
      if (text.startsWith("HTTP/1.1 101")) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", done);
  });

/** A plain HTTP request. */
export const plain = (
  target: Target,
  path: string,
  options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly status: number | undefined; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const sent = request(
      { host: "127.0.0.1", ...target, path, agent: false, ...options },
      (answer) => {
        let body = "";
        answer.on("data", (chunk: Buffer) => (body += chunk.toString()));
        answer.on("end", () => resolve({ status: answer.statusCode, body }));
      },
    );
    sent.on("error", reject);
    sent.end();
  });

/** A client that collects what it is sent. */
export class Client implements Disposable {
  readonly socket: WebSocket;
  readonly messages: string[] = [];
  #told = (): void => {};

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => {
      if (Buffer.isBuffer(data)) this.messages.push(data.toString());
      this.#told();
    });
    socket.on("close", () => this.#told());
    socket.on("error", () => {});
  }

  static async open(
    target: Target,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Client> {
    const url =
      "port" in target ? `ws://127.0.0.1:${target.port}/` : `ws+unix:${target.socketPath}:/`;
    const client = new Client(new WebSocket(url, { headers }));
    await new Promise<void>((resolve, reject) => {
      client.socket.once("open", resolve);
      client.socket.once("error", reject);
    });
    return client;
  }

  send(value: unknown): void {
    this.socket.send(typeof value === "string" ? value : JSON.stringify(value));
  }

  /** Waits until this many messages have come. Rejects if the connection ends before that. */
  async received(count: number): Promise<readonly string[]> {
    while (this.messages.length < count) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error("the connection has ended");
      await new Promise<void>((resolve) => {
        this.#told = resolve;
      });
    }
    return this.messages;
  }

  /** Waits for the end of the connection; the close code. */
  closed(): Promise<number> {
    return new Promise((resolve) => this.socket.once("close", resolve));
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

/** Whether the server answers a client that behaves. */
export const stillServes = async (target: Target): Promise<boolean> => {
  using client = await Client.open(target);
  client.send({ id: 1, method: "echo", params: "here" });
  const [answer] = await client.received(1);
  return answer === '{"id":1,"result":"here"}';
};

/** The header of a client frame (RFC 6455 §5.2): final, masked with zeros. */
export const frameHeader = (opcode: number, length: number, isFinal = true): Buffer => {
  const first = (isFinal ? 0x80 : 0) | opcode;
  const header = Buffer.alloc(14);
  header[0] = first;
  if (length < 126) {
    header[1] = 0x80 | length;
    return header.subarray(0, 6);
  }
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
};

/** A connection on which frames are written by hand, after a correct handshake. */
export const rawClient = (target: Target): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connectTo(target);
    socket.write(
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    socket.once("error", reject);
    socket.once("data", () => {
      socket.removeAllListeners("error");
      socket.on("error", () => {});
      resolve(socket);
    });
  });
