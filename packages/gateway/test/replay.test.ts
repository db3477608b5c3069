import { randomUUID } from "node:crypto";
import { AssertionUses } from "@agent-auth/gateway/replay";
import { layerRedisClient, layerReplayRedis } from "@agent-auth/gateway/replay/redis";
import { layerReplaySql } from "@agent-auth/gateway/replay/sql";
import { missingRedis } from "@agent-auth/tools/redis";
import * as Arr from "effect/Array";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redis from "effect/persistence/Redis";
import * as SqlClient from "effect/sql/SqlClient";
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

const sqlStores = replayStores.flatMap(({ name, isMissing, makeSql }) =>
  makeSql === undefined ? [] : [{ name, isMissing, makeSql }],
);
const oldAssertion = (number: number): Record<string, unknown> => ({
  assertion_key: `old-${number}`,
  agent_runtime_id: "agent-1",
  uses: 1,
  forget_after_ms: 1000,
});

describe.each(sqlStores)("a replay store in $name, with many rows to forget", (store) => {
  const { isMissing, makeSql } = store;
  it.effect.skipIf(isMissing)("has space at once, and deletes all of them within a second", () =>
    Effect.gen(function* () {
      const sql = yield* Effect.promise(makeSql);
      const uses = Layer.provideMerge(
        layerReplaySql({ maxUses: 1, maxAssertionsPerAgent: 2500 }),
        sql,
      );
      const program = Effect.gen(function* () {
        const client = yield* SqlClient.SqlClient;
        const { admit } = yield* AssertionUses;
        const rows = Arr.makeBy(2500, oldAssertion);
        for (const some of Arr.chunksOf(rows, 500))
          yield* client`INSERT INTO gateway_assertion ${client.insert(some)}`;
        yield* TestClock.setTime(5000);
        const verdicts = [];
        for (const key of ["a", "b", "c"]) verdicts.push(yield* admit(used(key)));
        expect(verdicts).toEqual(["admitted", "admitted", "admitted"]);
        const left =
          yield* client`SELECT assertion_key FROM gateway_assertion ORDER BY assertion_key`;
        expect(left.map((row) => row["assertion_key"])).toEqual(["a", "b", "c"]);
      });
      yield* Effect.provide(program, uses);
    }),
  );
});

describe.skipIf(missingRedis !== undefined)("a replay store in Redis", () => {
  it.each([
    { title: "a fresh assertion", forgetInMs: 300_000, counterMs: 300_000 },
    { title: "one that is about to be forgotten", forgetInMs: 1_000, counterMs: 300_000 },
    { title: "one of a clock window of an hour", forgetInMs: 3_600_000, counterMs: 3_600_000 },
  ])("counts the assertions of an agent from $title for as long as a fresh one is kept", (row) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const { client } = yield* Effect.promise(sharedRedis);
        const prefix = `${randomUUID()}:`;
        const layer = Layer.provide(
          layerReplayRedis({ maxUses: 2, prefix }),
          layerRedisClient(client),
        );
        const use = used("a", "agent-1", Date.now() + row.forgetInMs);
        yield* Effect.provide(
          AssertionUses.use((uses) => uses.admit(use)),
          layer,
        );
        const keys = yield* Effect.promise(() => client.keys(`${prefix}*`));
        const counter = keys.find((key) => !key.endsWith(":a")) ?? "";
        const ttlMs = yield* Effect.promise(() => client.pTTL(counter));
        expect(ttlMs).toBeGreaterThan(row.counterMs - 60_000);
        expect(ttlMs).toBeLessThanOrEqual(row.counterMs);
      }),
    ),
  );

  it.effect("still counts after Redis has forgotten the script", () =>
    Effect.gen(function* () {
      const { client } = yield* Effect.promise(sharedRedis);
      const layer = Layer.provide(
        layerReplayRedis({ maxUses: 2, prefix: `${randomUUID()}:` }),
        layerRedisClient(client),
      );
      const admit = AssertionUses.use((uses) => uses.admit(used("a")));
      const flush = Effect.promise(() => client.sendCommand(["SCRIPT", "FLUSH"]));
      const verdicts = Effect.all([admit, Effect.andThen(flush, admit), admit]);
      expect(yield* Effect.provide(verdicts, layer)).toEqual(["admitted", "admitted", "replayed"]);
    }),
  );

  it.each([
    ["does not reply", () => new Promise<never>(() => {}), "no reply within 20 ms"],
    ["rejects", () => Promise.reject(new Error("closed")), "closed"],
    [
      "throws",
      () => {
        throw new Error("no connection");
      },
      "no connection",
    ],
  ])("fails if the client %s, and does not wait longer", async (_name, sendCommand, message) => {
    const layer = layerRedisClient({ sendCommand }, { timeoutMs: 20 });
    const send = Redis.Redis.use((redis) => redis.send("PING"));
    const error = await Effect.runPromise(Effect.flip(Effect.provide(send, layer)));
    expect(String(error.cause)).toContain(message);
    const uses = Layer.provide(layerReplayRedis({ maxUses: 1 }), layer);
    const admit = AssertionUses.use((it) => it.admit(used("a")));
    expect(await Effect.runPromise(Effect.flip(Effect.provide(admit, uses)))).toMatchObject({
      _tag: "StoreUnavailable",
      message: "the replay store is unavailable: a Redis command failed",
    });
  });

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
