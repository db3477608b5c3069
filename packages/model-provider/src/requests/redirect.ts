import { identityHeaderNames } from "../signing/auth-headers.ts";
import { RedirectRefused } from "../errors/index.ts";
import { headerRecord } from "../signing/signed-headers.ts";
import type { FetchBody, FetchHeaders } from "../fetch/fetch-types.ts";
import { isReplayable } from "./replay.ts";

/** The Fetch standard's limit. */
export const maxRedirects = 20;

/** What a redirect may change of a request. */
export interface Redirectable {
  readonly url: string;
  readonly method: string;
  readonly headers: FetchHeaders | undefined;
  readonly body: FetchBody | undefined;
}

export const isRedirect = (status: number): boolean =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308;

/**
 * The request that follows a redirect (Fetch standard, "HTTP-redirect fetch"): a POST turns into a GET where it must,
 * and what identifies the caller stays behind where the origin changes. Throws `RedirectRefused`.
 */
export const redirected = (
  request: Redirectable,
  status: number,
  location: string,
): Redirectable => {
  // Header values come as one character for each byte; an address in them is UTF-8.
  const to = URL.parse(Buffer.from(location, "latin1").toString(), request.url);
  if (to === null || (to.protocol !== "https:" && to.protocol !== "http:"))
    throw new RedirectRefused({ reason: "notHttp", status });
  if (to.username !== "" || to.password !== "")
    throw new RedirectRefused({ reason: "holdsCredentials", status });
  const crosses = to.origin !== new URL(request.url).origin;
  const becomesGet = turnsIntoGet(status, request.method);
  if (!becomesGet && !isReplayable(request.body))
    throw new RedirectRefused({ reason: "bodyCannotBeReplayed", status });
  return {
    url: to.href,
    method: becomesGet ? "GET" : request.method,
    headers: without(request.headers, (name) => staysBehind(name, crosses, becomesGet)),
    body: becomesGet ? undefined : request.body,
  };
};

const turnsIntoGet = (status: number, method: string): boolean =>
  status === 303
    ? method !== "GET" && method !== "HEAD"
    : (status === 301 || status === 302) && method === "POST";

const staying: ReadonlySet<string> = new Set([
  ...identityHeaderNames,
  "cookie",
  "host",
  "proxy-authorization",
]);

const staysBehind = (name: string, crosses: boolean, losesBody: boolean): boolean =>
  (crosses && staying.has(name)) || (losesBody && name.startsWith("content-"));

const without = (
  headers: FetchHeaders | undefined,
  drop: (lowerName: string) => boolean,
): FetchHeaders | undefined =>
  headers === undefined
    ? undefined
    : Object.entries(headerRecord(headers)).filter(([name]) => !drop(name));
