import { DispatcherNotSupported } from "@agent-auth/agent-identity/errors";
import type { Dispatcher, WebSocket } from "undici";
import { makeInterceptor } from "../dispatcher/interceptor.ts";
import { WebSocketNotOpened } from "../errors/index.ts";
import { loadUndici } from "../fetch/undici-fetch.ts";
import { type RuntimeOptions, waitFor } from "../runtime/index.ts";
import type { RequestSignerShape } from "../signing/request-signer.ts";

export interface OpenWebSocketOptions extends RuntimeOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: ReadonlyArray<string>;
  readonly dispatcher?: Dispatcher;
  readonly signal?: AbortSignal;
}

/** Opens a WebSocket. The interceptor signs its upgrade request and handles a 401. */
export const openWebSocket = async (
  signer: RequestSignerShape,
  url: string,
  options: OpenWebSocketOptions,
): Promise<WebSocket> => {
  const undici = await loadUndici();
  const { context, headers, protocols, signal } = options;
  const dispatcher = undici.checkedDispatcher(options.dispatcher ?? undici.sharedAgent());
  if (typeof dispatcher.compose !== "function")
    throw new DispatcherNotSupported({ reason: "olderDispatcher" });
  let refused: DispatcherNotSupported | undefined;
  let status: number | undefined;
  const auth = makeInterceptor(
    { signer, otherOrigins: "reject", ...(context === undefined ? {} : { context }) },
    (seen) => {
      status = seen;
    },
  );
  const socket = new undici.WebSocket(url, {
    dispatcher: dispatcher.compose(auth).compose((dispatch) => (request, handler) => {
      try {
        return dispatch(request, handler);
      } catch (error) {
        if (error instanceof DispatcherNotSupported) refused = error;
        throw error;
      }
    }),
    protocols: [...(protocols ?? [])],
    ...(headers === undefined ? {} : { headers: { ...headers } }),
  });
  try {
    await waitFor(
      opened(socket, url, () => status),
      signal,
    );
    return socket;
  } catch (error) {
    socket.close();
    throw refused ?? error;
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
        reject(new WebSocketNotOpened({ origin, ...(seen === undefined ? {} : { status: seen }) }));
      },
      { once: true },
    );
  });
