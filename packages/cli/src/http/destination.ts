import { hasHiddenDots } from "@agent-auth/model-provider/requests/destination";
import type { SignedHeaders } from "@agent-auth/model-provider/signing/headers";

/** Where requests that carry an identity may go. */
export type Target = SignedHeaders["target"];

/** An origin, and a path with its query, as undici takes them. */
export interface Destination {
  readonly origin: string;
  readonly path: string;
}

/**
 * A path put below the provider's base URL; `null` if it leaves it (`../`, `/%2e%2e/`), or would for a server
 * that decodes before it splits (`..%2f`).
 */
export const belowBase = (path: string, target: Target): Destination | null => {
  const url = URL.parse(target.baseUrl + path);
  if (url === null || url.origin !== target.origin) return null;
  const isBelow =
    url.pathname === target.basePath || url.pathname.startsWith(`${target.basePath}/`);
  return isBelow && !hasHiddenDots(url.pathname) ? destinationOf(url) : null;
};

export const destinationOf = (url: URL): Destination => ({
  origin: url.origin,
  path: url.pathname + url.search,
});
