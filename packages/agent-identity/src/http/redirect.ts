import * as Effect from "effect/Effect";
import { HttpRedirectRefused } from "../errors/index.ts";
import { isHttpUrl } from "../urls/index.ts";

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** The ones under which a POST stays a POST (RFC 9110 §15.4.8, §15.4.9). */
const keepsMethod: ReadonlySet<number> = new Set([307, 308]);

/** Redirects in a row after which an endpoint is taken for a loop. */
export const maxRedirects = 5;

/** Whether a status sends us elsewhere (RFC 9110 §15.4). */
export const isRedirect = (status: number): boolean => redirects.has(status);

/**
 * Where a redirect leads, if it may be followed: within the origin (so never from https to http), and for a POST only where
 * it stays one. Fails with `HttpRedirectRefused`, which names the target's origin only.
 */
export const followRedirect = Effect.fnUntraced(function* (redirect: {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  readonly from: URL;
  readonly location: string | undefined;
  readonly count: number;
}): Effect.fn.Return<URL, HttpRedirectRefused> {
  const { method, url, status, from, location, count } = redirect;
  const target = location === undefined ? null : URL.parse(location, from.href);
  if (target === null || !isHttpUrl(target)) {
    const why = "no usable location";
    return yield* new HttpRedirectRefused({ method, url, status, target: null, why });
  }
  const refused = { method, url, status, target: target.origin };
  if (target.origin !== from.origin) {
    return yield* new HttpRedirectRefused({ ...refused, why: "another origin" });
  }
  if (method !== "GET" && !keepsMethod.has(status)) {
    return yield* new HttpRedirectRefused({ ...refused, why: "not a GET" });
  }
  if (count >= maxRedirects) {
    return yield* new HttpRedirectRefused({ ...refused, why: "too many redirects" });
  }
  return target;
});
