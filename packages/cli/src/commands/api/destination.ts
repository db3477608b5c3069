import {
  isModelProviderError,
  type RequestOriginNotAllowed,
} from "@agent-auth/model-provider/errors";
import { resolveDestination } from "@agent-auth/model-provider/requests/destination";
import * as Effect from "effect/Effect";
import { type Destination, destinationOf, type Target } from "../../http/destination.ts";

/**
 * Returns where `api PATH` goes: below the base URL, or, for a whole URL, to that address if its origin is the provider's.
 * Fails for any other, since the credential must not be sent there.
 */
export const resolvePath = (
  path: string,
  target: Target,
): Effect.Effect<Destination, RequestOriginNotAllowed> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(destinationOf(new URL(resolveDestination(path, target, "reject").url)));
    } catch (error) {
      return isOriginError(error) ? Effect.fail(error) : Effect.die(error);
    }
  });

const isOriginError = (error: unknown): error is RequestOriginNotAllowed =>
  isModelProviderError(error) && error._tag === "RequestOriginNotAllowed";
