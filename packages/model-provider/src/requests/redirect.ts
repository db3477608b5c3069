import { RedirectNotFollowed } from "../errors/index.ts";
import { authHeaderNames } from "../signing/auth-headers.ts";
import { headerRecord, type HeadersLike } from "../signing/header-record.ts";
import { type FetchBody, isReplayable, type RecordedBody } from "./body.ts";

/** The limit of the Fetch standard. */
export const maxRedirects = 20;

/** The parts of a request that a redirect may change. */
export interface Redirectable {
  readonly url: string;
  readonly method: string;
  readonly headers: HeadersLike;
  readonly body: FetchBody | RecordedBody | undefined;
}

/**
 * Returns the request that follows a redirect (Fetch standard, "HTTP-redirect fetch"). A POST becomes a GET if the status
 * says so, and credentials are dropped if the origin changes. Throws `RedirectNotFollowed`.
 */
export const redirected = (
  request: Redirectable,
  status: number,
  location: string,
): Redirectable => {
  // Header values are decoded as Latin-1; an address in them is UTF-8.
  const to = URL.parse(Buffer.from(location, "latin1").toString(), request.url);
  if (to === null || (to.protocol !== "https:" && to.protocol !== "http:"))
    throw new RedirectNotFollowed({ reason: "notHttp", status });
  if (to.username !== "" || to.password !== "")
    throw new RedirectNotFollowed({ reason: "holdsCredentials", status });
  const isOtherOrigin = to.origin !== new URL(request.url).origin;
  const becomesGet = turnsIntoGet(status, request.method);
  if (!becomesGet && !isReplayable(request.body))
    throw new RedirectNotFollowed({ reason: "bodyCannotBeReplayed", status });
  const isDropped = (name: string): boolean =>
    (isOtherOrigin && originBound.has(name)) || (becomesGet && name.startsWith("content-"));
  return {
    url: to.href,
    method: becomesGet ? "GET" : request.method,
    headers: Object.fromEntries(
      Object.entries(headerRecord(request.headers)).filter(([name]) => !isDropped(name)),
    ),
    body: becomesGet ? undefined : request.body,
  };
};

const turnsIntoGet = (status: number, method: string): boolean =>
  status === 303
    ? method !== "GET" && method !== "HEAD"
    : (status === 301 || status === 302) && method === "POST";

const originBound: ReadonlySet<string> = new Set([
  ...authHeaderNames,
  "cookie",
  "host",
  "proxy-authorization",
]);
