import { belowBase, type Destination, type Target } from "../http/destination.ts";

/**
 * Returns where a client's request goes, or `null` if its path leaves the provider's base URL. Many tools insist on a
 * base URL that ends in `/v1`, so a leading `/v1` is dropped if the provider's base URL has a path.
 */
export const proxyDestination = (url: string, target: Target): Destination | null =>
  belowBase(target.basePath !== "" && /^\/v1(?=[/?]|$)/u.test(url) ? url.slice(3) : url, target);
