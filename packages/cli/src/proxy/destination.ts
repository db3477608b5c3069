import { belowBase, type Destination, type Target } from "../http/destination.ts";

/**
 * Where a client's request goes. Many tools want a base URL that ends in `/v1`, so a leading `/v1` is dropped where the
 * provider's base URL has a path of its own. `null` where the path climbs out of the base.
 */
export const proxyDestination = (url: string, target: Target): Destination | null =>
  belowBase(target.basePath !== "" && /^\/v1(?=[/?]|$)/u.test(url) ? url.slice(3) : url, target);
