import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as TestClock from "effect/testing/TestClock";
import type { HttpResponse } from "../src/http/index.ts";
import { JwksSource } from "../src/jwks/index.ts";
import { layer as remoteLayer, type RemoteJwksOptions } from "../src/jwks/remote.ts";
import { makeFakeTransport, refusedConnection } from "./fake-transport.ts";
import { makeSigningKey, nowMs } from "./mint.ts";

export const url = "https://authority.test/jwks";
export const [one, two] = [makeSigningKey("one"), makeSigningKey("two")];
export const setOf = (...keys: ReadonlyArray<typeof one>) => ({ keys: keys.map(({ jwk }) => jwk) });
/** What is kept of such a JWKS. */
export const usableKeysOf = (...keys: ReadonlyArray<typeof one>) => ({
  keys: keys.map(({ jwk: { kty, kid, n, e } }) => ({ kty, kid, n, e })),
});
export const minutes = (count: number) => `${count} minutes` as const;

export const key = (kid: string) => JwksSource.use((source) => source.key(kid));
export const codeOf = (kid: string) => Effect.map(Effect.flip(key(kid)), (error) => error.code);

/** A source over a transport that responds with `first` until a test changes it. */
export const setUp = (first: HttpResponse, options: Partial<RemoteJwksOptions> = {}) => {
  const transport = makeFakeTransport(() => Effect.succeed(first));
  const source = remoteLayer({ url, ...options }).pipe(Layer.provide(transport.layer));
  return {
    ...transport,
    answerWith: (next: HttpResponse) => transport.behave(() => Effect.succeed(next)),
    goDown: () => transport.behave(() => Effect.fail(refusedConnection)),
    run: <A, E>(test: Effect.Effect<A, E, JwksSource>) =>
      TestClock.setTime(nowMs).pipe(Effect.andThen(Effect.provide(test, source))),
  };
};

export const unknown = "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND";
export const unreachable = "AGENT_IDENTITY_JWKS_REQUEST_FAILED";
