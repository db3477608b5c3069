import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Scope from "effect/Scope";
import { compact } from "../internal/compact.ts";
import type { AuthManagerOptions } from "../manager/types.ts";
import { NetworkName, networkName } from "./network-name.ts";

/**
 * The HTTP client of `../http-client.ts`, whose code is loaded with the first request: most programs send none. It
 * comes with the name of the network that it sees, since it is the options alone that make it.
 */
export const lazyHttpLayer = (
  options: AuthManagerOptions,
): Layer.Layer<HttpTransport | NetworkName> =>
  Layer.merge(
    Layer.sync(NetworkName, () => networkName(options)),
    Layer.effect(
      HttpTransport,
      Effect.gen(function* () {
        const scope = yield* Effect.scope;
        const client = yield* Effect.cached(Scope.provide(buildClient(options), scope));
        return HttpTransport.of({
          request: (request) => Effect.flatMap(client, (transport) => transport.request(request)),
        });
      }),
    ),
  );

const buildClient = Effect.fnUntraced(function* (options: AuthManagerOptions) {
  const { layer } = yield* Effect.promise(() => import("./index.ts"));
  const { allowInsecureHttp, environment, originator, userAgent } = options;
  const services = yield* Layer.build(
    layer(environment, compact({ allowInsecureHttp, originator, userAgent })),
  );
  return Context.get(services, HttpTransport);
});
