import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Scope from "effect/Scope";
import type { LoginEnvironment } from "../config/environment.ts";
import { compact } from "../internal/compact.ts";
import type { HttpClientOptions } from "./index.ts";
import { NetworkKey, networkKey } from "./network-key.ts";

/**
 * Returns the HTTP client of `./index.ts`, whose code is loaded by the first request, since most programs send none, and
 * the `NetworkKey` of that client.
 */
export const lazyHttpLayer = (
  options: HttpClientOptions & { readonly environment: LoginEnvironment },
): Layer.Layer<HttpTransport | NetworkKey> =>
  Layer.merge(
    Layer.sync(NetworkKey, () => networkKey(options.environment, options.allowInsecureHttp)),
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

const buildClient = Effect.fnUntraced(function* (
  options: HttpClientOptions & { readonly environment: LoginEnvironment },
) {
  const { layer } = yield* Effect.promise(() => import("./index.ts"));
  const { allowInsecureHttp, environment, originator, userAgent } = options;
  const services = yield* Layer.build(
    layer(environment, compact({ allowInsecureHttp, originator, userAgent })),
  );
  return Context.get(services, HttpTransport);
});
