import type { Readable, Writable } from "node:stream";

/** A connection to an app server that carries one JSON message at a time, as text. */
export interface MessageConnection {
  /** Sends a message. Must not throw; a closed connection ignores it. */
  readonly send: (message: string) => void;
  readonly onMessage: (listener: (message: string) => void) => void;
  readonly onClose: (listener: () => void) => void;
  readonly close: () => void;
}

/** The streams of a server that was started as a child process. */
export interface StdioServer {
  readonly stdin: Writable;
  readonly stdout: Readable;
}

/**
 * Returns a connection to a server on the standard streams of a child process: one message on each line. Closing the
 * connection ends the server's stdin; an app server then exits.
 *
 * @example
 * ```ts
 * import { connectStdio, createAppServerClient } from "@agent-auth/app-server/client";
 * import { spawn } from "node:child_process";
 *
 * export const start = () =>
 *   createAppServerClient(
 *     connectStdio(spawn("codex", ["app-server"], { stdio: ["pipe", "pipe", "inherit"] })),
 *   );
 * ```
 */
export const connectStdio = ({ stdin, stdout }: StdioServer): MessageConnection => {
  stdin.on("error", () => {}); // the server has exited, and its stdout closes too
  return {
    send: (message) => void (stdin.writable && stdin.write(`${message}\n`)),
    onMessage: (listener) => {
      let parts: string[] = [];
      let length = 0;
      stdout.setEncoding("utf8");
      stdout.on("data", (chunk: string) => {
        const lines = chunk.split("\n");
        const last = lines.pop() ?? "";
        for (const line of lines) {
          const whole = [...parts, line].join("");
          parts = [];
          length = 0;
          if (whole.trim() !== "") listener(whole);
        }
        length += last.length;
        // Without a limit, a hostile program, or one that is not an app server, could fill the memory with one line.
        if (length > MAX_LINE_CHARACTERS) stdout.destroy();
        else if (last !== "") parts.push(last);
      });
    },
    onClose: (listener) => void stdout.once("close", listener),
    close: () => void stdin.end(),
  };
};

/** A server's longest message, which may hold a whole conversation. A longer one ends the connection. */
const MAX_LINE_CHARACTERS = 64 * 1024 * 1024;

/** The WebSocket members that this client uses. The WebSockets of browsers, undici and `ws` have them. */
export interface WebSocketLike {
  readonly readyState: number;
  readonly send: (data: string) => void;
  readonly close: () => void;
  readonly addEventListener: {
    (type: "message", listener: (event: { readonly data: unknown }) => void): void;
    (type: "close", listener: () => void): void;
  };
}

const OPEN = 1;

/**
 * Returns a connection over an open WebSocket: one message in each text frame.
 *
 * @example
 * ```ts
 * import { connectWebSocket, createAppServerClient } from "@agent-auth/app-server/client";
 *
 * export const connect = async (url: string) => {
 *   const socket = new WebSocket(url);
 *   await new Promise((resolve) => socket.addEventListener("open", resolve));
 *   return createAppServerClient(connectWebSocket(socket));
 * };
 * ```
 */
export const connectWebSocket = (socket: WebSocketLike): MessageConnection => ({
  send: (message) => {
    if (socket.readyState === OPEN) socket.send(message);
  },
  onMessage: (listener) =>
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") listener(data);
    }),
  onClose: (listener) => socket.addEventListener("close", () => listener()),
  close: () => socket.close(),
});
