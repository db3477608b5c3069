import type { Dispatcher, WebSocket } from "undici";
import { createHeaderSource } from "../signing/headers.ts";
import { resolveDestination, withQuery } from "../requests/destination.ts";
import { openWebSocket } from "./open.ts";
import { type SignerOptions, signerFrom } from "../signing/signer-options.ts";

/** What a WebSocket client of one's own needs for its upgrade request. */
export interface WebSocketUpgrade {
  /** `ws:` or `wss:`. */
  readonly url: string;
  /** In plain text, for this one upgrade. */
  readonly headers: Record<string, string>;
}

export type WebSocketOptions = SignerOptions & {
  /** A path below the provider's base URL, or an absolute URL (ws, wss, http, https) on its origin. */
  readonly url: string;
  /** More headers for the upgrade, such as `OpenAI-Beta`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the waiting for credentials and for the upgrade. */
  readonly signal?: AbortSignal;
};

/**
 * URL and headers of an authenticated WebSocket upgrade, for a client of one's own. Ask again for every connection.
 * Rejects with a `SignError`, or with `RequestOriginNotAllowed` for an address on another origin.
 */
export const webSocketHeaders = async (options: WebSocketOptions): Promise<WebSocketUpgrade> => {
  const signer = signerFrom(options);
  const source = createHeaderSource({ signer });
  const call = options.signal === undefined ? {} : { signal: options.signal };
  const signed = await source.sign(call);
  const address = options.url.replace(/^ws(s?):/i, "http$1:");
  const { url } = resolveDestination(address, signed.target, "refuse");
  return {
    url: withQuery(url, signer.provider.queryParams).replace(/^http/, "ws"),
    headers: { ...signed.applyTo(options.headers) },
  };
};

/**
 * An open WebSocket to the provider, over undici. A 401 on the upgrade is mended and the upgrade repeated, at most
 * twice. Rejects with a `SignError` before anything is sent, with `WebSocketRefused` where the server does not open
 * it, with the signal's reason where that aborts. Redirects are not followed.
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
