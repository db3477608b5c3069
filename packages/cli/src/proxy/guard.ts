import type { IncomingMessage } from "node:http";
import { isUnsafeMethod } from "../http/destination.ts";

/** Why a request is turned away before anything is signed or sent. */
export interface Refusal {
  readonly status: 400 | 403 | 421 | 501;
  readonly code: string;
  readonly message: string;
}

const loopbackNames = ["127.0.0.1", "localhost", "[::1]"] as const;

/**
 * Turns away what no local program would send: a foreign `Host` (a web page that had its own name point at this
 * machine: DNS rebinding), a foreign `Origin` or `Sec-Fetch-Site` (a web page that posts across sites), and requests
 * in the absolute form, which treat this as a proxy to anywhere. Also what would show the identity to the client.
 */
export const makeGuard = (port: number) => {
  const hosts = new Set(
    loopbackNames.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`])),
  );
  const origins = new Set([...hosts].map((host) => `http://${host}`));
  return (request: IncomingMessage): Refusal | null => {
    if (hostLines(request) > 1) return twoHosts;
    const { host, origin, "sec-fetch-site": site } = request.headers;
    if (host === undefined || !hosts.has(host.toLowerCase())) return foreignHost;
    if (origin !== undefined && !origins.has(origin.toLowerCase())) return foreignOrigin;
    if (site !== undefined && site !== "same-origin" && site !== "none") return foreignOrigin;
    if (isUnsafeMethod(request.method)) return methodRefused;
    return request.url?.startsWith("/") === true ? null : absoluteForm;
  };
};

/** Node keeps the first of several; whoever reads the last would be told another story (RFC 9112 §3.2). */
const hostLines = ({ rawHeaders }: IncomingMessage): number => {
  let found = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === "host") found += 1;
  }
  return found;
};

const foreignHost: Refusal = {
  status: 421,
  code: "CLI_PROXY_FOREIGN_HOST",
  message: "the Host header does not name this proxy",
};

const twoHosts: Refusal = {
  status: 400,
  code: "CLI_PROXY_TWO_HOSTS",
  message: "there is more than one Host header",
};

export const methodRefused: Refusal = {
  status: 501,
  code: "CLI_PROXY_METHOD",
  message: "TRACE and CONNECT are not passed on",
};

const foreignOrigin: Refusal = {
  status: 403,
  code: "CLI_PROXY_FOREIGN_ORIGIN",
  message: "web pages of other origins may not use this proxy",
};

const absoluteForm: Refusal = {
  status: 400,
  code: "CLI_PROXY_ABSOLUTE_FORM",
  message: "this is a reverse proxy: send the path alone",
};
