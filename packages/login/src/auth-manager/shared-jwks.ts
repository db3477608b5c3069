import type { HttpTransportError } from "@agent-auth/agent-identity/errors";
import { type HttpResponse, HttpTransport } from "@agent-auth/agent-identity/http-transport";
import { JwksSource } from "@agent-auth/agent-identity/jwks";
import { JwksCache, makeMemoryJwksCache } from "@agent-auth/agent-identity/jwks-cache";
import * as JwksRemote from "@agent-auth/agent-identity/jwks-remote";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";

/** Managers of one process need one request (PROTOCOL §4), also where no cache that outlives it is given. */
const processJwks = makeMemoryJwksCache();

const underWay = new Map<string, Fiber.Fiber<HttpResponse, HttpTransportError>>();

/** A transport whose requests for a set join the same request of another manager in this process. */
const withSharedRequests = (transport: HttpTransport["Service"]): HttpTransport["Service"] => ({
  request: (request) =>
    Effect.suspend(() => {
      const key = JSON.stringify([request.url, request.headers]);
      const other = underWay.get(key);
      if (other !== undefined) {
        // The other manager may have been closed meanwhile, or have settings of its own; a slow endpoint is slow for all.
        return Effect.catch(Fiber.join(other), (error) =>
          error._tag === "HttpTimedOut" ? Effect.fail(error) : transport.request(request),
        );
      }
      const landing = Effect.ensuring(
        transport.request(request),
        Effect.sync(() => underWay.delete(key)),
      );
      return Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Effect.forkDetach(landing), (fiber) => {
          if (fiber.pollUnsafe() === undefined) underWay.set(key, fiber);
          return restore(Fiber.join(fiber));
        }),
      );
    }),
});

/**
 * The key set of a backend, shared by all managers of this process: what one fetches the others need not. Kept in the
 * `JwksCache` that the manager's layer is given, else on disk in the folder named, else in memory.
 */
export const sharedJwks = Effect.fnUntraced(function* (
  options: JwksRemote.RemoteJwksOptions,
  codexHome: string | undefined,
): Effect.fn.Return<JwksSource["Service"], never, HttpTransport | Scope.Scope> {
  const given = Option.getOrUndefined(yield* Effect.serviceOption(JwksCache));
  const onDisk = codexHome === undefined ? undefined : yield* cacheOnDisk(codexHome);
  const services = yield* Layer.build(JwksRemote.layer(options)).pipe(
    Effect.provideService(HttpTransport, withSharedRequests(yield* HttpTransport)),
    Effect.provideService(JwksCache, given ?? onDisk ?? processJwks),
  );
  return Context.get(services, JwksSource);
});

const cacheOnDisk = Effect.fnUntraced(function* (codexHome: string) {
  const { layer } = yield* Effect.promise(() => import("../jwks-cache-file.ts"));
  return Context.get(yield* Layer.build(layer({ codexHome })), JwksCache);
});
