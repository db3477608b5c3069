import { createInterface } from "node:readline";
import { request } from "node:http";
import { connect } from "node:net";
import { WebSocket } from "ws";
import type { CliHome, CliOptions } from "./cli.ts";

/** A running `agent-auth app-server` whose clients connect with WebSockets. */
export class RunningAppServer implements AsyncDisposable {
  /** What it said on stderr. */
  readonly lines: readonly string[];
  readonly #child: ReturnType<CliHome["spawn"]>;
  readonly #ended: Promise<number | null>;

  private constructor(child: ReturnType<CliHome["spawn"]>, lines: readonly string[]) {
    this.#child = child;
    this.lines = lines;
    this.#ended = new Promise((resolve) => child.once("close", resolve));
  }

  /** Starts it and waits until it listens. */
  static async start(
    home: CliHome,
    args: readonly string[],
    options: CliOptions = {},
  ): Promise<RunningAppServer> {
    const child = home.spawn(["app-server", ...args], options);
    const lines: string[] = [];
    await new Promise<void>((resolve, reject) => {
      createInterface(child.stderr).on("line", (line) => {
        lines.push(line);
        if (line.includes("listening on: unix") || line.includes("note: ")) resolve();
      });
      child.once("close", (code) => reject(new Error(`ended with ${code}: ${lines.join("\n")}`)));
    });
    return new RunningAppServer(child, lines);
  }

  /** Where it listens. */
  get target(): Target {
    const url = this.lines.find((line) => line.includes("listening on: "))?.split(": ")[1] ?? "";
    return url.startsWith("unix://")
      ? { socketPath: url.slice("unix://".length) }
      : { port: Number(url.split(":").at(-1)) };
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Sends a signal and waits for the end; the exit code. */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.#child.kill(signal);
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) await this.stop("SIGKILL");
  }
}

/** Where a server listens: a port of 127.0.0.1, or a Unix socket. */
export type Target = { readonly port: number } | { readonly socketPath: string };

type Headers = Readonly<Record<string, string>>;

/** A plain HTTP request. */
export const plainRequest = (target: Target, method: string, path: string, headers: Headers) =>
  new Promise<{ readonly status: number | undefined; readonly body: string }>((resolve, reject) => {
    const options = { host: "127.0.0.1", ...target, method, path, headers, agent: false };
    const sent = request(options, (answer) => {
      let body = "";
      answer.on("data", (chunk: Buffer) => (body += chunk.toString()));
      answer.on("end", () => resolve({ status: answer.statusCode, body }));
    });
    sent.on("error", reject);
    sent.end();
  });

/** The request for a WebSocket, as a client writes it. */
export const upgradeRequest = (path: string, headers: Headers = {}): string =>
  [
    `GET ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    "",
    "",
  ].join("\r\n");

/** Asks for a WebSocket and closes it again. The body is that of a refusal. */
export const upgradeOnly = (target: Target, path: string, headers: Headers) =>
  new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
    const socket = connect(
      "port" in target ? { host: "127.0.0.1", ...target } : { path: target.socketPath },
    );
    let text = "";
    socket.write(upgradeRequest(path, headers));
    socket.on("data", (chunk) => {
      text += chunk.toString();
      if (text.startsWith("HTTP/1.1 101")) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () =>
      resolve({
        status: Number(/^HTTP\/1\.1 (\d+)/u.exec(text)?.[1] ?? 0),
        body: text.startsWith("HTTP/1.1 101") ? "" : (text.split("\r\n\r\n")[1] ?? ""),
      }),
    );
  });

/** One client of an app server: it sends lines or frames, and collects the messages that it receives. */
export interface AppServerClient {
  readonly send: (text: string) => void;
  readonly received: readonly unknown[];
  /** Waits for the answer to this request. */
  readonly answerTo: (id: string | number) => Promise<unknown>;
  readonly close: () => void;
}

/** What a client has received, and who waits for more. */
export const makeInbox = () => {
  const received: unknown[] = [];
  const waiting = new Set<() => void>();
  const answerTo = async (id: string | number): Promise<unknown> => {
    for (;;) {
      const found = received.find((one) => isAnswerTo(id, one));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => waiting.add(resolve));
    }
  };
  const add = (text: string) => {
    received.push(JSON.parse(text));
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  return { received, answerTo, add };
};

const isAnswerTo = (id: string | number, message: unknown): boolean =>
  typeof message === "object" &&
  message !== null &&
  "id" in message &&
  message.id === id &&
  !("method" in message);

/** Opens a WebSocket. */
export const connectClient = async (
  target: Target,
  path = "/",
  headers: Headers = {},
): Promise<AppServerClient> => {
  const url =
    "port" in target
      ? `ws://127.0.0.1:${target.port}${path}`
      : `ws+unix:${target.socketPath}:${path}`;
  const socket = new WebSocket(url, { headers });
  const { add, ...inbox } = makeInbox();
  socket.on("message", (data) => {
    if (Buffer.isBuffer(data)) add(data.toString());
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  return { ...inbox, send: (text) => socket.send(text), close: () => socket.terminate() };
};
