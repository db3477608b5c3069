import type { SignedHeaders } from "@agent-auth/model-provider/headers";

/** Where a request of a client goes. */
export interface Destination {
  readonly origin: string;
  /** With its query. */
  readonly path: string;
}

/**
 * Puts a client's path below the provider's base URL. Many tools want a base URL that ends in `/v1`, so a leading
 * `/v1` is dropped where the base URL has a path of its own. `null` where the path climbs out of the base.
 */
export const destinationOf = (url: string, target: SignedHeaders["target"]): Destination | null => {
  const path = target.basePath !== "" && /^\/v1(?=[/?]|$)/u.test(url) ? url.slice(3) : url;
  const parsed = URL.parse(target.baseUrl + path);
  if (parsed === null || parsed.origin !== target.origin) return null;
  const isBelow =
    parsed.pathname === target.basePath || parsed.pathname.startsWith(`${target.basePath}/`);
  if (!isBelow) return null;
  return { origin: parsed.origin, path: parsed.pathname + parsed.search };
};
