import { AssertionUses } from "@agent-auth/gateway/replay";
import { layerRedisClient, layerReplayRedis } from "@agent-auth/gateway/replay/redis";
import { missingRedis } from "@agent-auth/tools/redis";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as TestClock from "effect/testing/TestClock";
import { afterAll, describe, expect, it } from "@effect/vitest";
import { replayStores, sharedRedis, stopServers } from "./stores.ts";

afterAll(stopServers);

const used = (key: string, agentRuntimeId = "agent-1", forgetAfterMs = 300_000) => ({
  agentRuntimeId,
  key,
  forgetAfterMs,
});

type Uses = AssertionUses["Service"];

/** Runs a test with a new store that keeps three assertions of each agent. */
const withStore = (
  make: (typeof replayStores)[number]["make"],
  work: (uses: Uses) => Effect.Effect<void, unknown>,
) =>
  Effect.flatMap(
    Effect.promise(() => make({ maxUses: 2, maxAssertionsPerAgent: 3 })),
    (layer) => Effect.provide(AssertionUses.use(work), layer),
  );

describe.each(replayStores)("a replay store in $name", ({ isMissing, make }) => {
  it.effect.skipIf(isMissing)("admits an assertion as often as it may be used", () =>
    withStore(make, (uses) =>
      Effect.gen(function* () {
        const verdicts = [];
        for (let index = 0; index < 4; index += 1) verdicts.push(yield* uses.admit(used("a")));
        expect(verdicts).toEqual(["admitted", "admitted", "replayed", "replayed"]);
        expect(yield* uses.admit(used("b"))).toBe("admitted");
      }),
    ),
  );

  it.effect.skipIf(isMissing)("admits no use too many when they are concurrent", () =>
    withStore(make, (uses) =>
      Effect.gen(function* () {
        const verdicts = yield* Effect.all(
          Array.from({ length: 20 }, () => uses.admit(used("a"))),
          { concurrency: "unbounded" },
        );
        expect(verdicts.filter((verdict) => verdict === "admitted")).toHaveLength(2);
      }),
    ),
  );

  it.effect.skipIf(isMissing)("limits the assertions of one agent, and not those of another", () =>
    withStore(make, (uses) =>
      Effect.gen(function* () {
        for (const key of ["a", "b", "c"]) expect(yield* uses.admit(used(key))).toBe("admitted");
        expect(yield* uses.admit(used("d"))).toBe("full");
        expect(yield* uses.admit(used("a"))).toBe("admitted");
        expect(yield* uses.admit(used("d", "agent-2"))).toBe("admitted");
        expect(yield* uses.admit(used("e", "__proto__"))).toBe("admitted");
      }),
    ),
  );
});

const storesOnTheTestClock = replayStores.filter(({ hasOwnClock }) => !hasOwnClock);

describe.each(storesOnTheTestClock)("a replay store in $name, later", ({ isMissing, make }) => {
  it.effect.skipIf(isMissing)("has space again once assertions may be forgotten", () =>
    withStore(make, (uses) =>
      Effect.gen(function* () {
        for (const key of ["a", "b", "c"]) yield* uses.admit(used(key, "agent-1", 1000));
        expect(yield* uses.admit(used("d"))).toBe("full");
        yield* TestClock.setTime(3000);
        expect(yield* uses.admit(used("d"))).toBe("admitted");
      }),
    ),
  );
});

describe.skipIf(missingRedis !== undefined)("a replay store in Redis", () => {
  it.effect("leaves nothing that does not expire, and no key with an agent's id", () =>
    Effect.gen(function* () {
      const { client } = yield* Effect.promise(sharedRedis);
      const limits = { maxUses: 2, prefix: "expiry:" };
      const layer = Layer.provide(layerReplayRedis(limits), layerRedisClient(client));
      const admit = AssertionUses.use((uses) => uses.admit(used("a", "agent-secret")));
      expect(yield* Effect.provide(admit, layer)).toBe("admitted");
      const keys = yield* Effect.promise(() => client.keys("expiry:*"));
      expect(keys).toHaveLength(2);
      for (const key of keys) {
        expect(key).not.toContain("agent-secret");
        expect(yield* Effect.promise(() => client.pTTL(key))).toBeGreaterThan(0);
      }
    }),
  );

  it.effect("fails if the server is down, and works again when it is back", () =>
    Effect.gen(function* () {
      const { client, server } = yield* Effect.promise(sharedRedis);
      const redis = layerRedisClient(client, { timeoutMs: 100 });
      const layer = Layer.provide(layerReplayRedis({ maxUses: 2, prefix: "down:" }), redis);
      const admit = AssertionUses.use((uses) => uses.admit(used("a"))).pipe(Effect.provide(layer));
      yield* Effect.promise(server.stop);
      expect(yield* TestClock.withLive(Effect.flip(admit))).toMatchObject({
        code: "GATEWAY_STORE_UNAVAILABLE",
        store: "replay",
      });
      yield* Effect.promise(server.start);
      yield* Effect.promise(() => client.ping());
      expect(yield* admit).toBe("admitted");
    }),
  );
});
