import * as Redacted from "effect/Redacted";
import type { RequestTarget } from "../provider/base-url.ts";
import { RequestOriginNotAllowed } from "../errors/index.ts";

/** Where a request goes, and whether that is where its identity belongs. */
export interface Destination {
  readonly url: string;
  readonly isOurs: boolean;
}

/**
 * Resolves what a caller asked for. An absolute URL stays as it is and is ours where its origin, as the URL standard
 * reads it, is the target's; one with a user name or password is refused. Anything else is a
 * path below the base URL, and stays below it, for servers that decode `%2f` too. Throws `RequestOriginNotAllowed`.
 */
export const resolveDestination = (
  input: string,
  target: RequestTarget,
  otherOrigins: "withoutIdentity" | "refuse",
): Destination => {
  // The origin with the slash that ends it leaves nothing of the authority to be confused about.
  if (input.startsWith(`${target.origin}/`)) return { url: input, isOurs: true };
  const absolute = URL.parse(input);
  if (absolute === null) return { url: belowBase(input, target), isOurs: true };
  // Not `origin`: that of a `blob:` URL is the one inside it.
  const isOurs = absolute.protocol !== "blob:" && absolute.origin === target.origin;
  const about = { expectedOrigin: target.origin, origin: absolute.origin };
  // fetch takes no such address, and would quote it, query and all.
  if (absolute.username !== "" || absolute.password !== "")
    throw new RequestOriginNotAllowed({ reason: "holdsCredentials", ...about });
  if (!isOurs && otherOrigins === "refuse")
    throw new RequestOriginNotAllowed({ reason: "otherOrigin", ...about });
  return { url: isOurs ? absolute.href : input, isOurs };
};

/** A broken URL is no path. */
const hasScheme = /^\s*[a-z][a-z0-9+.-]*:/i;

const belowBase = (path: string, target: RequestTarget): string => {
  const url = hasScheme.test(path)
    ? null
    : URL.parse(`${target.baseUrl}/${path.replace(/^\//, "")}`);
  if (url === null)
    throw new RequestOriginNotAllowed({ reason: "notAUrl", expectedOrigin: target.origin });
  const isBelow = url.origin === target.origin && url.pathname.startsWith(`${target.basePath}/`);
  if (!isBelow || hasHiddenDots(url.pathname))
    throw new RequestOriginNotAllowed({ reason: "leavesBasePath", expectedOrigin: target.origin });
  return url.href;
};

/**
 * Whether a server that decodes a path before it reads it would find `.` or `..` as a segment. The URL standard takes
 * out `..` and `%2e%2e`, but not `..%2f`; some servers decode `%252f` too, or end a segment at a semicolon.
 */
const hasHiddenDots = (pathname: string): boolean => {
  const decoded = pathname.replaceAll(/%(?:25)*(2e|2f|5c|3b)/gi, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
  return /[/\\]\.\.?(?:[/\\;]|$)/.test(decoded);
};

/** Adds a provider's query parameters to a URL or path, but for those that it has already. Nothing else of it changes. */
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
