import type { Dispatcher, WebSocket } from "undici";
import { resolveDestination, withQuery } from "../requests/destination.ts";
import type { RuntimeOptions } from "../runtime/index.ts";
import { createHeaderSource } from "../signing/headers.ts";
import { type SignerOptions, signerFrom } from "../signing/request-signer.ts";
import { openWebSocket } from "./open.ts";

/** What another WebSocket client needs for its upgrade request. */
export interface WebSocketUpgrade {
  /** `ws:` or `wss:`. */
  readonly url: string;
  /** In plain text, for one upgrade. */
  readonly headers: Record<string, string>;
}

export type WebSocketOptions = SignerOptions &
  RuntimeOptions & {
    /** A path below the provider's base URL, or an absolute URL (ws, wss, http, https) with its origin. */
    readonly url: string;
    /** More headers for the upgrade, such as `OpenAI-Beta`. */
    readonly headers?: Readonly<Record<string, string>>;
    /** Ends the wait for credentials and for the upgrade. */
    readonly signal?: AbortSignal;
  };

/**
 * Returns URL and headers of an authenticated WebSocket upgrade, for another client. Ask again for every connection. A
 * subprotocol that carries a key of the caller (`openai-insecure-api-key.…`) is removed from the headers; do not pass one
 * to the client either. Rejects with a `SignError`, or with `RequestOriginNotAllowed` for an address of another origin.
 *
 * @example
 * ```ts
 * import type { RequestSignerShape } from "@agent-auth/model-provider/signing";
 * import { webSocketHeaders } from "@agent-auth/model-provider/websocket";
 *
 * const upgrade = (signer: RequestSignerShape) => webSocketHeaders({ signer, url: "/responses" });
 * ```
 */
export const webSocketHeaders = async (options: WebSocketOptions): Promise<WebSocketUpgrade> => {
  const signer = signerFrom(options);
  const source = createHeaderSource({ ...options, signer });
  const call = options.signal === undefined ? {} : { signal: options.signal };
  const signed = await source.sign(call);
  const address = options.url.replace(/^ws(s?):/i, "http$1:");
  const { url } = resolveDestination(address, signed.target, "reject");
  return {
    url: withQuery(url, signer.provider.queryParams).replace(/^http/, "ws"),
    headers: { ...signed.mergeInto(options.headers) },
  };
};

/**
 * Returns an open, authenticated WebSocket to the provider, over undici. On a 401 the credential is recovered and the
 * upgrade is repeated, at most twice. Subprotocols that carry a key of the caller are not sent. Rejects with a `SignError`
 * before anything is sent, with `WebSocketNotOpened` if the server does not open it, or with the signal's reason.
 * Redirects are not followed.
 *
 * @example
 * ```ts
 * import type { RequestSignerShape } from "@agent-auth/model-provider/signing";
 * import { connectWebSocket } from "@agent-auth/model-provider/websocket";
 *
 * const open = (signer: RequestSignerShape) => connectWebSocket({ signer, url: "/responses" });
 * ```
 */
export const connectWebSocket = async (
  options: WebSocketOptions & {
    readonly protocols?: ReadonlyArray<string>;
    readonly dispatcher?: Dispatcher;
  },
): Promise<WebSocket> => {
  const signer = signerFrom(options);
  const { url } = await webSocketHeaders({ ...options, signer });
  return openWebSocket(signer, url, options);
};
