import type { HttpTransportError } from "@agent-auth/agent-identity/errors";
import { type HttpResponse, HttpTransport } from "@agent-auth/agent-identity/http";
import { JwksSource } from "@agent-auth/agent-identity/jwks";
import { JwksCache, makeMemoryJwksCache } from "@agent-auth/agent-identity/jwks/cache";
import * as JwksRemote from "@agent-auth/agent-identity/jwks/remote";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import { NetworkKey } from "../http/network-key.ts";

/** What managers share that would get, and believe, the same answers. */
interface Circle {
  readonly kept: JwksCache["Service"];
  readonly underWay: Map<string, Fiber.Fiber<HttpResponse, HttpTransportError>>;
}

const makeCircle = (): Circle => ({ kept: makeMemoryJwksCache(), underWay: new Map() });

const circles = new Map<string, Circle>();

const circleNamed = (network: string): Circle => {
  const circle = circles.get(network) ?? makeCircle();
  circles.set(network, circle);
  return circle;
};

/** A transport whose requests for a set join the same request of another manager in its circle. */
const withSharedRequests = (
  transport: HttpTransport["Service"],
  { underWay }: Circle,
): HttpTransport["Service"] => ({
  request: (request) =>
    Effect.suspend(() => {
      const key = JSON.stringify([request.url, request.headers]);
      const other = underWay.get(key);
      if (other !== undefined) {
        // The other manager may have been closed meanwhile; a slow endpoint is slow for all.
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
 * The key set of a backend. Managers of one process need one request (docs/protocol.md §4), so what one of them
 * fetches the others do not, provided that they reach the network alike: a manager that trusts fewer roots must not
 * take over what another one believed. Kept in the `JwksCache` that the manager's layer is given, else on disk in the
 * folder named, else in memory.
 */
export const sharedJwks = Effect.fnUntraced(function* (
  options: JwksRemote.RemoteJwksOptions,
  codexHome: string | undefined,
): Effect.fn.Return<JwksSource["Service"], never, HttpTransport | Scope.Scope> {
  const network = Option.getOrUndefined(yield* Effect.serviceOption(NetworkKey));
  const circle = network === undefined ? makeCircle() : circleNamed(network);
  const given = Option.getOrUndefined(yield* Effect.serviceOption(JwksCache));
  const onDisk = codexHome === undefined ? undefined : yield* cacheOnDisk(codexHome, network);
  const services = yield* Layer.build(JwksRemote.layer(options)).pipe(
    Effect.provideService(HttpTransport, withSharedRequests(yield* HttpTransport, circle)),
    Effect.provideService(JwksCache, given ?? onDisk ?? circle.kept),
  );
  return Context.get(services, JwksSource);
});

const cacheOnDisk = Effect.fnUntraced(function* (codexHome: string, network: string | undefined) {
  const { layer } = yield* Effect.promise(() => import("./jwks-cache-file.ts"));
  const options = network === undefined ? { codexHome } : { codexHome, network };
  return Context.get(yield* Layer.build(layer(options)), JwksCache);
});
