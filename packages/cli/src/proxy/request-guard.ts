import type { IncomingMessage } from "node:http";
import { isMethodAllowed } from "@agent-auth/model-provider/requests/destination";

/** Why a request is rejected before anything is signed or sent. */
export interface Rejection {
  readonly status: 400 | 401 | 403 | 421 | 501;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** Where the proxy listens: a TCP port on 127.0.0.1, or a Unix socket. */
export type ListenAddress = { readonly port: number } | { readonly socketPath: string };

const loopbackNames = ["127.0.0.1", "localhost", "[::1]"] as const;

/**
 * Returns a function that rejects what only a web browser or a confused client sends:
 *
 * - a `Host` that does not name this proxy (DNS rebinding), or more than one;
 * - any request made by a web page or by opening a link. Browsers mark those with `Origin`, `Sec-Fetch-Site`,
 *   `Sec-Fetch-Mode: navigate` or `Upgrade-Insecure-Requests`; programs do not. That includes pages with the proxy's own
 *   origin, which could only be HTML that the provider sent. Browsers that do not mark an image or a script (Safari before
 *   16.4) are known by `Referer`, which a page can suppress, and by `User-Agent`, which it cannot change;
 * - the absolute form, which asks for a forward proxy;
 * - TRACE and CONNECT, which would show the credential to the client or tunnel around it.
 */
export const makeRequestGuard = (
  address: ListenAddress,
): ((request: IncomingMessage) => Rejection | null) => {
  const hosts = "port" in address ? hostsOf(address.port) : null;
  return (request) => {
    if (countHostLines(request) > 1) return twoHosts;
    const { host } = request.headers;
    if (hosts !== null && (host === undefined || !hosts.has(host.toLowerCase())))
      return foreignHost;
    if (isFromBrowser(request)) return fromBrowser;
    if (!isMethodAllowed(request.method ?? "")) return methodNotAllowed;
    return request.url?.startsWith("/") === true ? null : absoluteForm;
  };
};

const hostsOf = (port: number): ReadonlySet<string> =>
  new Set(
    loopbackNames.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`])),
  );

/**
 * `Sec-Fetch-Mode` alone is not a sign of a browser: the fetch of Node sends `cors`. Programs other than browsers do
 * not send the other headers.
 */
const isFromBrowser = ({ headers }: IncomingMessage): boolean =>
  headers.origin !== undefined ||
  headers["sec-fetch-site"] !== undefined ||
  headers["sec-fetch-dest"] !== undefined ||
  headers["sec-fetch-user"] !== undefined ||
  headers["sec-fetch-mode"]?.includes("navigate") === true ||
  headers["upgrade-insecure-requests"] !== undefined ||
  headers["sec-purpose"] !== undefined ||
  headers.referer !== undefined ||
  isBrowserName(headers["user-agent"]) ||
  headers["access-control-request-method"] !== undefined;

/** Names of engines, because PowerShell is called `Mozilla/5.0` as well. */
const isBrowserName = (userAgent: string | undefined): boolean =>
  userAgent?.startsWith("Mozilla/") === true &&
  /AppleWebKit\/|Gecko\/|Trident\/|MSIE |Presto\//u.test(userAgent);

/** Node keeps the first of several; a server that reads the last one would see another host (RFC 9112 §3.2). */
const countHostLines = ({ rawHeaders }: IncomingMessage): number => {
  let found = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === "host") found += 1;
  }
  return found;
};

const foreignHost: Rejection = {
  status: 421,
  code: "CLI_PROXY_FOREIGN_HOST",
  message: "the Host header does not name this proxy",
};

const twoHosts: Rejection = {
  status: 400,
  code: "CLI_PROXY_TWO_HOSTS",
  message: "there is more than one Host header",
};

export const methodNotAllowed: Rejection = {
  status: 501,
  code: "CLI_PROXY_METHOD",
  message: "TRACE and CONNECT are not forwarded",
};

const fromBrowser: Rejection = {
  status: 403,
  code: "CLI_PROXY_BROWSER_REQUEST",
  message: "requests from web pages and links are not forwarded",
  hint: "Call the proxy from a program, not from a browser.",
};

const absoluteForm: Rejection = {
  status: 400,
  code: "CLI_PROXY_ABSOLUTE_FORM",
  message: "this is a reverse proxy: send the path alone",
};
