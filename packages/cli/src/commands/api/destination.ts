import { RequestOriginNotAllowed } from "@agent-auth/model-provider/errors";
import * as Effect from "effect/Effect";
import { belowBase, type Destination, destinationOf, type Target } from "../../http/destination.ts";

/**
 * Where `api PATH` goes: below the base URL, or, for a whole URL, to that address, as long as the origin is the
 * provider's. An identity goes nowhere else.
 */
export const resolvePath = (
  path: string,
  target: Target,
): Effect.Effect<Destination, RequestOriginNotAllowed> => {
  const absolute = URL.parse(path);
  const expectedOrigin = target.origin;
  if (absolute === null) {
    const found = belowBase(path.startsWith("/") ? path : `/${path}`, target);
    return found === null
      ? Effect.fail(new RequestOriginNotAllowed({ reason: "leavesBasePath", expectedOrigin }))
      : Effect.succeed(found);
  }
  const { origin } = absolute;
  return origin === expectedOrigin
    ? Effect.succeed(destinationOf(absolute))
    : Effect.fail(new RequestOriginNotAllowed({ reason: "otherOrigin", expectedOrigin, origin }));
};
