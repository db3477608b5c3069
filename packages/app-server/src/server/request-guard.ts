import type { IncomingMessage } from "node:http";
import { hostAndPort, isLoopback } from "./listen-address.ts";

/** The response to a request that does not open a WebSocket. */
export interface PlainResponse {
  readonly status: 200 | 400 | 401 | 403 | 405 | 421 | 503;
  readonly body: string;
  readonly allow?: string;
}

/**
 * Whether a listener accepts a `Host` header. The port is not checked, because an SSH tunnel or a container may change
 * it.
 */
export type IsHostAllowed = (hostname: string) => boolean;

/**
 * Returns the rule for `Host`. A loopback listener accepts the names of the loopback interface, so that a web page
 * cannot reach it through a host name in the page's domain that resolves to 127.0.0.1 (DNS rebinding); `allowedHosts` adds
 * names. Any other listener requires a token and accepts every name. If `allowedHosts` is not empty, it accepts only
 * these names and its own IP address.
 */
export const makeIsHostAllowed = (
  listenHost: string,
  allowedHosts: readonly string[] = [],
): IsHostAllowed => {
  const names = new Set(allowedHosts.map((name) => name.toLowerCase()));
  if (isLoopback(listenHost)) {
    return (hostname) =>
      hostname === "localhost" ||
      isLoopback(hostname.replace(/^\[(.*)\]$/u, "$1")) ||
      names.has(hostname);
  }
  if (names.size === 0) return () => true;
  names.add(hostAndPort(listenHost, 0).replace(/:0$/u, ""));
  return (hostname) => names.has(hostname);
};

const probes: ReadonlySet<string> = new Set(["/readyz", "/healthz"]);

/** Returns the rejection of a request that only a web page or a faulty client sends; `undefined` for any other. */
export const rejectRequest = (
  request: IncomingMessage,
  isHostAllowed: IsHostAllowed,
): PlainResponse | undefined => {
  const { host = [], origin } = request.headersDistinct;
  if (origin !== undefined) return { status: 403, body: "" };
  const [first = ""] = host;
  if (host.length > 1) return { status: 400, body: "more than one Host header" };
  const hostname = first.toLowerCase().replace(/:\d*$/u, "");
  return isHostAllowed(hostname)
    ? undefined
    : { status: 421, body: "the Host header does not name this server" };
};

/**
 * Returns the response to a request that does not ask for an upgrade. Except for probes, it has Codex's error texts.
 */
export const answerPlainRequest = ({ method, url = "" }: IncomingMessage): PlainResponse => {
  const isRead = method === "GET" || method === "HEAD";
  if (probes.has(url.split("?", 1)[0] ?? ""))
    return isRead ? { status: 200, body: "" } : { status: 405, body: "", allow: "GET,HEAD" };
  return method === "GET"
    ? { status: 400, body: "Connection header did not include 'upgrade'" }
    : { status: 405, body: "Request method must be `GET`" };
};

/** Returns the rejection of an invalid upgrade request, before the WebSocket library handles it. */
export const rejectUpgrade = ({ headers, method }: IncomingMessage): PlainResponse | undefined => {
  if (method !== "GET") return { status: 405, body: "Request method must be `GET`" };
  return headers.upgrade?.toLowerCase() === "websocket"
    ? undefined
    : { status: 400, body: "`Upgrade` header did not include 'websocket'" };
};
