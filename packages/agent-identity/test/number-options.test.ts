import { describe, expect, it } from "@effect/vitest";
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import {
  AgentPublicKeys,
  AssertionReplayStore,
  verifyAgentAssertion,
} from "../src/assertion/verifier.ts";
import { JwksSource } from "../src/jwks/index.ts";
import { layer as remoteLayer } from "../src/jwks/remote.ts";
import { verifyAgentIdentityJwt } from "../src/jwt/index.ts";
import { createAssertionVerifier } from "../src/promises/index.ts";
import { makeSigningKey, mint } from "./mint.ts";

/** Invalid times: each of them makes some comparison accept everything. */
const noTimes = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1];
const noCounts = [...noTimes, 0, 1.5];

const defectOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.exit(effect), (exit) =>
    exit._tag === "Failure" && Cause.hasDies(exit.cause) ? Cause.squash(exit.cause) : exit,
  );

describe("numbers in options", () => {
  it.effect.each(noTimes)("a clock tolerance of %d accepts no expired token", (seconds) =>
    Effect.gen(function* () {
      const key = makeSigningKey("key-1");
      const expired = yield* Effect.promise(() => mint(key, { exp: 1 }));
      const verified = verifyAgentIdentityJwt(expired, { clockToleranceSeconds: seconds });
      const source = JwksSource.layerStatic({ keys: [key.jwk] });
      expect(yield* defectOf(Effect.provide(verified, source))).toBeInstanceOf(RangeError);
    }),
  );

  it.effect.each(noTimes)("a clock window of %d accepts no old assertion", (clockWindowSeconds) =>
    Effect.gen(function* () {
      const options = { isKnownTask: null, clockWindowSeconds };
      const verified = verifyAgentAssertion("AgentAssertion e30", options).pipe(
        Effect.provide(AgentPublicKeys.layerMemory(new Map())),
      );
      expect(yield* defectOf(verified)).toBeInstanceOf(RangeError);
      const create = () =>
        createAssertionVerifier({ ...options, findPublicKey: () => Promise.resolve(null) });
      expect(create).toThrow(RangeError);
    }),
  );

  it.each(noCounts)("a replay store with %d uses or capacity is not created", (count) => {
    expect(() => AssertionReplayStore.layerMemory({ maxUses: count })).toThrow(RangeError);
    expect(() => AssertionReplayStore.layerMemory({ maxUses: 1, capacity: count })).toThrow(
      RangeError,
    );
    const lookups = { findPublicKey: () => Promise.resolve(null), isKnownTask: null };
    for (const replays of [{ maxUses: count }, { maxUses: 1, capacity: count }])
      expect(() => createAssertionVerifier({ ...lookups, replays })).toThrow(RangeError);
  });

  const times = ["timeoutMs", "defaultLifetimeMs", "maxLifetimeMs", "maxStaleMs", "cooldownMs"];
  it.each(times)("jwks-remote rejects an invalid %s", (name) => {
    const make = (value: unknown) => () =>
      remoteLayer({ url: "https://authority.test/jwks", [name]: value });
    for (const value of noTimes) expect(make(value)).toThrow(RangeError);
    expect(make("60")).toThrow(TypeError);
    expect(make(1)).not.toThrow();
    expect(make(undefined)).not.toThrow();
  });

  it("jwks-remote rejects a timeout beyond the range of timers", () => {
    const url = "https://authority.test/jwks";
    expect(() => remoteLayer({ url, timeoutMs: 0 })).toThrow(RangeError);
    expect(() => remoteLayer({ url, timeoutMs: 2 ** 31 })).toThrow(
      "timeoutMs must be a number from 1 to 2147483647",
    );
    expect(() => remoteLayer({ url, timeoutMs: 2 ** 31 - 1 })).not.toThrow();
  });
});
