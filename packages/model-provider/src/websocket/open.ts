import type { Dispatcher, WebSocket } from "undici";
import { WebSocketRefused } from "../errors/index.ts";
import type { RequestSignerShape } from "../signing/request-signer.ts";
import { interceptor } from "../dispatcher/interceptor.ts";
import { loadUndici, sharedAgent } from "../fetch/undici-send.ts";
import { waitFor } from "../requests/wait-for.ts";

export interface OpenWebSocketOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: ReadonlyArray<string>;
  readonly dispatcher?: Dispatcher;
  readonly signal?: AbortSignal;
}

/** Opens a WebSocket whose upgrade request goes through the interceptor, which signs it and mends a 401. */
export const openWebSocket = async (
  signer: RequestSignerShape,
  url: string,
  options: OpenWebSocketOptions,
): Promise<WebSocket> => {
  const undici = await loadUndici();
  let status: number | undefined;
  const auth = interceptor({ signer, otherOrigins: "refuse" }, (seen) => {
    status = seen;
  });
  const socket = new undici.WebSocket(url, {
    dispatcher: (options.dispatcher ?? sharedAgent(undici)).compose(auth),
    protocols: [...(options.protocols ?? [])],
    ...(options.headers === undefined ? {} : { headers: { ...options.headers } }),
  });
  try {
    await waitFor(
      opened(socket, url, () => status),
      options.signal,
    );
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
};

const opened = (socket: WebSocket, url: string, status: () => number | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.addEventListener("open", () => resolve(), { once: true });
    socket.addEventListener(
      "error",
      () => {
        const seen = status();
        const { origin } = new URL(url);
        reject(new WebSocketRefused({ origin, ...(seen === undefined ? {} : { status: seen }) }));
      },
      { once: true },
    );
  });
