import type { IncomingMessage } from "node:http";

/** Why a request is turned away before anything is signed or sent. */
export interface Refusal {
  readonly status: 400 | 403 | 421;
  readonly code: string;
  readonly message: string;
}

const loopbackNames = ["127.0.0.1", "localhost", "[::1]"] as const;

/**
 * Turns away what no local program would send: a foreign `Host` (a web page that had its own name point at this
 * machine: DNS rebinding), a foreign `Origin` or `Sec-Fetch-Site` (a web page that posts across sites), and requests
 * in the absolute form, which treat this as a proxy to anywhere.
 */
export const makeGuard = (port: number) => {
  const hosts = new Set(loopbackNames.map((name) => `${name}:${port}`));
  const origins = new Set([...hosts].map((host) => `http://${host}`));
  return (request: IncomingMessage): Refusal | null => {
    const { host, origin, "sec-fetch-site": site } = request.headers;
    if (host === undefined || !hosts.has(host.toLowerCase())) return foreignHost;
    if (origin !== undefined && !origins.has(origin.toLowerCase())) return foreignOrigin;
    if (site !== undefined && site !== "same-origin" && site !== "none") return foreignOrigin;
    return request.url?.startsWith("/") === true ? null : absoluteForm;
  };
};

const foreignHost: Refusal = {
  status: 421,
  code: "CLI_PROXY_FOREIGN_HOST",
  message: "the Host header does not name this proxy",
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
