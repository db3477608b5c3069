import { isIP } from "node:net";
import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";

/** Where a server listens. */
export type ListenAddress =
  | { readonly _tag: "Stdio" }
  | { readonly _tag: "Off" }
  | { readonly _tag: "WebSocket"; readonly host: string; readonly port: number }
  /** Without a path: the default one in CODEX_HOME. */
  | { readonly _tag: "Unix"; readonly path?: string };

/**
 * Reads the value of `--listen`: `stdio://`, `unix://`, `unix://PATH`, `ws://IP:PORT` or `off`. The IP must be numeric,
 * because a name could resolve to an address that other machines reach. For any other value, returns an error message.
 *
 * @example
 * ```ts
 * import { parseListenAddress } from "@agent-auth/app-server/server";
 *
 * console.log(parseListenAddress("ws://127.0.0.1:4500"));
 * // { _tag: "WebSocket", host: "127.0.0.1", port: 4500 }
 * ```
 */
export const parseListenAddress = (url: string): ListenAddress | string => {
  if (url === "stdio://") return { _tag: "Stdio" };
  if (url === "off") return { _tag: "Off" };
  if (url.startsWith("unix://")) {
    const path = url.slice("unix://".length);
    return path === "" ? { _tag: "Unix" } : { _tag: "Unix", path };
  }
  if (!url.startsWith("ws://"))
    return `unsupported --listen URL \`${url}\`; expected \`stdio://\`, \`unix://\`, \`unix://PATH\`, \`ws://IP:PORT\`, or \`off\``;
  const [, v4, v6, digits = ""] =
    /^ws:\/\/(?:([\d.]+)|\[([\da-f:.]+)\]):(\d{1,5})$/iu.exec(url) ?? [];
  const host = v4 ?? v6 ?? "";
  const port = Number(digits);
  const isNumeric = isIP(host) === (v4 === undefined ? 6 : 4);
  return isNumeric && port <= 65_535
    ? { _tag: "WebSocket", host, port }
    : `invalid websocket --listen URL \`${url}\`; expected \`ws://IP:PORT\``;
};

/**
 * Returns the host and port as in a URL: IPv6 addresses get brackets.
 *
 * @example
 * ```ts
 * import { hostAndPort } from "@agent-auth/app-server/server";
 *
 * console.log(hostAndPort("::1", 4500)); // [::1]:4500
 * ```
 */
export const hostAndPort = (host: string, port: number): string =>
  `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;

/**
 * Returns whether only programs on this machine can connect to a numeric address. Returns false for a host name, which
 * is not resolved.
 *
 * @example
 * ```ts
 * import { isLoopback } from "@agent-auth/app-server/server";
 *
 * console.log(isLoopback("127.0.0.1"), isLoopback("0.0.0.0")); // true false
 * ```
 */
export const isLoopback = (host: string): boolean =>
  isIP(host) !== 0 && isLoopbackUrl(`http://${hostAndPort(host, 0)}`);
