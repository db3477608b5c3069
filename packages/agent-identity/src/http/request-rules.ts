import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import {
  HttpInsecureUrl,
  HttpRedirectNotAllowed,
  HttpRequestInvalid,
  type HttpTransportError,
} from "../errors/index.ts";
import { isHttpsOrLoopback, isHttpUrl, redactUrl } from "../urls/index.ts";

const validName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 §5.5: visible ASCII, space, tab, and obs-text; never a line break. */
const validValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The text of a string or of a `Redacted` string, else null. Called only where bytes are written. */
export const plainText = (value: unknown): string | null => {
  const text = Redacted.isRedacted(value) ? Redacted.value(value) : value;
  return typeof text === "string" ? text : null;
};

/** Headers as text. Fails with `HttpRequestInvalid`, which names the header, if a name or value is not valid in HTTP. */
export const plainHeaders = Effect.fnUntraced(function* (
  method: string,
  headers: Readonly<Record<string, string | Redacted.Redacted>>,
): Effect.fn.Return<Record<string, string>, HttpRequestInvalid> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const text = plainText(value);
    if (text === null || !validName.test(name) || !validValue.test(text)) {
      return yield* new HttpRequestInvalid({ method, part: `header ${name}` });
    }
    plain[name] = text;
  }
  return plain;
});

/** Parses a request's URL: http(s), without user info, and https unless it is a loopback URL or http is allowed. */
export const parseRequestUrl = Effect.fnUntraced(function* (
  method: string,
  text: string,
  allowInsecureHttp: boolean | undefined,
): Effect.fn.Return<URL, HttpTransportError> {
  const url = URL.parse(text);
  if (url === null || !isHttpUrl(url) || url.username !== "" || url.password !== "") {
    return yield* new HttpRequestInvalid({ method, part: "url" });
  }
  if (allowInsecureHttp === true || isHttpsOrLoopback(url)) return url;
  return yield* new HttpInsecureUrl({ method, url: redactUrl(url) });
});

/** The statuses after which a POST stays a POST (RFC 9110 §15.4.8, §15.4.9). */
const methodPreservingStatuses: ReadonlySet<number> = new Set([307, 308]);

/** How many redirects in a row are followed. */
const maxRedirects = 5;

/**
 * Returns the URL that a redirect leads to if it may be followed: within the origin (so never from https to http), a
 * POST only if it stays a POST, at most five in a row. Fails with `HttpRedirectNotAllowed`, which shows the target's
 * origin only.
 */
export const followRedirect = Effect.fnUntraced(function* (redirect: {
  readonly method: string;
  readonly status: number;
  readonly from: URL;
  readonly location: string | undefined;
  /** How many redirects were followed before. */
  readonly count: number;
}): Effect.fn.Return<URL, HttpRedirectNotAllowed> {
  const { method, status, from, location, count } = redirect;
  const url = redactUrl(from);
  const target = location === undefined ? null : URL.parse(location, from.href);
  if (target === null || !isHttpUrl(target)) {
    const why = "no usable location";
    return yield* new HttpRedirectNotAllowed({ method, url, status, target: null, why });
  }
  const facts = { method, url, status, target: target.origin };
  if (target.origin !== from.origin) {
    return yield* new HttpRedirectNotAllowed({ ...facts, why: "another origin" });
  }
  if (method !== "GET" && !methodPreservingStatuses.has(status)) {
    return yield* new HttpRedirectNotAllowed({ ...facts, why: "not a GET" });
  }
  if (count >= maxRedirects) {
    return yield* new HttpRedirectNotAllowed({ ...facts, why: "too many redirects" });
  }
  return target;
});
