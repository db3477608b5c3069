import type { SignedHeaders } from "@agent-auth/model-provider/headers";

/** Where requests that carry an identity may go. */
export type Target = SignedHeaders["target"];

/** An origin, and a path with its query, as undici takes them. */
export interface Destination {
  readonly origin: string;
  readonly path: string;
}

/**
 * A path put below the provider's base URL; `null` where it climbs out of it (`../`, `/%2e%2e/`), or would for a server
 * that decodes before it splits (`..%2f`).
 */
export const belowBase = (path: string, target: Target): Destination | null => {
  const url = URL.parse(target.baseUrl + path);
  if (url === null || url.origin !== target.origin) return null;
  const isBelow =
    url.pathname === target.basePath || url.pathname.startsWith(`${target.basePath}/`);
  return isBelow && !hidesDots(url.pathname) ? destinationOf(url) : null;
};

/** Dot segments that the URL standard does not see: behind encoded slashes, encoded twice, or before a `;`. */
const hidesDots = (pathname: string): boolean =>
  decoded(pathname)
    .split(/[/\\]/u)
    .some((segment) => /^\.\.?(?:;|$)/u.test(segment));

const decoded = (text: string): string => {
  const once = text.replaceAll(/%(?:25|2e|2f|5c)/giu, (code) => decodeURIComponent(code));
  return once === text ? text : decoded(once);
};

export const destinationOf = (url: URL): Destination => ({
  origin: url.origin,
  path: url.pathname + url.search,
});
