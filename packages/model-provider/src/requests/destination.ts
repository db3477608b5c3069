import * as Redacted from "effect/Redacted";
import { MethodNotAllowed, RequestOriginNotAllowed } from "../errors/index.ts";
import type { RequestTarget } from "../provider/base-url.ts";

/** What happens to requests to origins other than the provider's. */
export type OtherOrigins = "sendUnauthenticated" | "reject";

/** Where a request goes. */
export interface Destination {
  readonly url: string;
  /** Whether the URL has the provider's origin, so that the credential may be sent to it. */
  readonly isProviderOrigin: boolean;
}

/**
 * Returns where a request for `input` goes. An absolute URL stays as it is; one with a user name or password is refused.
 * Anything else is a path below the base URL and cannot leave it, not even for a server that decodes `%2f`. Throws
 * `RequestOriginNotAllowed`.
 *
 * @example
 * ```ts
 * import { resolveDestination } from "@agent-auth/model-provider/requests/destination";
 *
 * const target = { baseUrl: "https://api.example/v1", origin: "https://api.example", basePath: "/v1" };
 * resolveDestination("/models", target, "reject").url; // "https://api.example/v1/models"
 * ```
 */
export const resolveDestination = (
  input: string,
  target: RequestTarget,
  otherOrigins: OtherOrigins,
): Destination => {
  // The slash ends the origin, so no part of the rest can be read as user name, host or port.
  if (input.startsWith(`${target.origin}/`)) return { url: input, isProviderOrigin: true };
  const absolute = URL.parse(input);
  if (absolute === null) return { url: belowBase(input, target), isProviderOrigin: true };
  // The origin of a `blob:` URL is that of the URL inside it, so the protocol is checked too.
  const isProviderOrigin = absolute.protocol !== "blob:" && absolute.origin === target.origin;
  // fetch would reject a URL with a user name or password, but its error quotes the whole URL, including the query.
  if (absolute.username !== "" || absolute.password !== "")
    throw notAllowed("holdsCredentials", target, absolute.origin);
  if (!isProviderOrigin && otherOrigins === "reject")
    throw notAllowed("otherOrigin", target, absolute.origin);
  return { url: isProviderOrigin ? absolute.href : input, isProviderOrigin };
};

const notAllowed = (
  reason: RequestOriginNotAllowed["reason"],
  { origin: expectedOrigin }: RequestTarget,
  origin?: string,
): RequestOriginNotAllowed =>
  new RequestOriginNotAllowed({
    reason,
    expectedOrigin,
    ...(origin === undefined ? {} : { origin }),
  });

/** Text that starts with a scheme but does not parse is a broken URL, not a path. */
const hasScheme = /^\s*[a-z][a-z0-9+.-]*:/i;

const belowBase = (path: string, target: RequestTarget): string => {
  const url = hasScheme.test(path)
    ? null
    : URL.parse(`${target.baseUrl}/${path.replace(/^\//, "")}`);
  if (url === null) throw notAllowed("notAUrl", target);
  const isBelow = url.origin === target.origin && url.pathname.startsWith(`${target.basePath}/`);
  if (!isBelow || hasHiddenDots(url.pathname)) throw notAllowed("leavesBasePath", target);
  return url.href;
};

/**
 * Returns whether a server that decodes a path before it splits it would find `.` or `..` as a segment. URL parsers
 * remove `..` and `%2e%2e`, but not `..%2f`; some servers also decode `%252f` or end a segment at a semicolon.
 *
 * @example
 * ```ts
 * import { hasHiddenDots } from "@agent-auth/model-provider/requests/destination";
 *
 * hasHiddenDots("/v1/..%2fadmin"); // true
 * hasHiddenDots("/v1/models"); // false
 * ```
 */
export const hasHiddenDots = (pathname: string): boolean => {
  const decoded = pathname.replaceAll(/%(?:25)*(2e|2f|5c|3b)/gi, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
  return /[/\\]\.\.?(?:[/\\;]|$)/.test(decoded);
};

/** Origin and path of a request as undici's dispatchers take them. */
interface DispatchAddress {
  readonly origin?: string | URL;
  readonly path: string;
}

/**
 * Returns whether a dispatched request goes to the provider's origin. Throws `RequestOriginNotAllowed` if it does not and
 * `otherOrigins` is `reject`.
 *
 * @example
 * ```ts
 * import { dispatchesToProvider } from "@agent-auth/model-provider/requests/destination";
 *
 * const target = { baseUrl: "https://api.openai.com/v1", origin: "https://api.openai.com", basePath: "/v1" };
 * const request = { origin: "https://api.openai.com", path: "/v1/models" };
 * console.log(dispatchesToProvider(request, target, "reject")); // true
 * ```
 */
export const dispatchesToProvider = (
  { origin, path }: DispatchAddress,
  target: RequestTarget,
  otherOrigins: OtherOrigins,
): boolean => {
  // undici sends an absolute path unchanged, and a proxy forwards the request to the host in it (RFC 9112 §3.2.2).
  const isAbsolutePath = !path.startsWith("/") && /^https?:/i.test(path);
  const isProviderOrigin =
    (origin === target.origin || originOf(origin) === target.origin) &&
    (!isAbsolutePath || originOf(path) === target.origin);
  if (!isProviderOrigin && otherOrigins === "reject")
    throw notAllowed("otherOrigin", target, originOf(isAbsolutePath ? path : origin));
  return isProviderOrigin;
};

const originOf = (url: string | URL | undefined): string | undefined =>
  (typeof url === "string" ? URL.parse(url) : url)?.origin;

/**
 * Returns whether a request with this method may carry a credential. The Fetch standard forbids the same methods. A
 * server answers TRACE (RFC 9110 §9.3.8) and TRACK with the headers of the request, and CONNECT opens a tunnel. The
 * comparison ignores case, because some servers do.
 *
 * @example
 * ```ts
 * import { isMethodAllowed } from "@agent-auth/model-provider/requests/destination";
 *
 * isMethodAllowed("POST"); // true
 * isMethodAllowed("TRACE"); // false
 * ```
 */
export const isMethodAllowed = (method: string): boolean => forbiddenMethod(method) === undefined;

const forbiddenMethod = (method: string): MethodNotAllowed["method"] | undefined => {
  const upper = method.toUpperCase();
  return upper === "TRACE" || upper === "TRACK" || upper === "CONNECT" ? upper : undefined;
};

/**
 * Throws `MethodNotAllowed` unless `isMethodAllowed`.
 *
 * @example
 * ```ts
 * import { assertMethodAllowed } from "@agent-auth/model-provider/requests/destination";
 *
 * assertMethodAllowed("POST");
 * // assertMethodAllowed("TRACE") throws MethodNotAllowed
 * ```
 */
export const assertMethodAllowed = (method: string): void => {
  const forbidden = forbiddenMethod(method);
  if (forbidden !== undefined) throw new MethodNotAllowed({ method: forbidden });
};

/**
 * Adds a provider's query parameters to a URL or path, except those that it already has. Nothing else changes.
 *
 * @example
 * ```ts
 * import { withQuery } from "@agent-auth/model-provider/requests/destination";
 * import * as Redacted from "effect/Redacted";
 *
 * const params = [["api-version", Redacted.make("2026-01-31")]] as const;
 * console.log(withQuery("/openai/responses", params)); // /openai/responses?api-version=2026-01-31
 * ```
 */
export const withQuery = (
  url: string,
  params: ReadonlyArray<readonly [name: string, value: Redacted.Redacted]>,
): string => {
  if (params.length === 0) return url;
  const [beforeFragment = ""] = url.split("#", 1);
  const start = beforeFragment.indexOf("?");
  const query = start === -1 ? "" : beforeFragment.slice(start + 1);
  const given = new URLSearchParams(query);
  const added = new URLSearchParams();
  for (const [name, value] of params)
    if (!given.has(name)) added.append(name, Redacted.value(value));
  if (added.size === 0) return url;
  const separator = start === -1 ? "?" : query === "" ? "" : "&";
  return beforeFragment + separator + added.toString() + url.slice(beforeFragment.length);
};
