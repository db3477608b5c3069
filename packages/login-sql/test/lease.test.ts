import { parseAuthJson } from "@agent-auth/login/storage/auth-json";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import { makeSqlStore, type SqlStore, type SqlStoreOptions } from "../src/index.ts";
import { quick, useDatabases } from "./support/databases.ts";
import { rowOf, setRow } from "./support/row.ts";
import { run } from "./support/run.ts";

const signIn = (refreshToken: string, accessToken = "at") => {
  const tokens = { id_token: "a.b.c", access_token: accessToken, refresh_token: refreshToken };
  return parseAuthJson(JSON.stringify({ auth_mode: "chatgpt", tokens }));
};
const outcome = (result: object) => JSON.stringify({ id: "1", result });

const open = (url: string, options: Partial<SqlStoreOptions> = {}) =>
  makeSqlStore({ ...quick, url, maxLockWaitMs: 5_000, ...options });
/** What the clock of the database does if the holder is killed, or stopped for long. */
const endLease = (url: string) => setRow(url, "default", { lease_until_ms: 0 });
const tokenOf = ({ lock }: SqlStore) =>
  Effect.scoped(Effect.map(lock.acquire, ({ fencingToken }) => fencingToken));

for (const { name, newUrl } of useDatabases()) {
  const openTwo = Effect.fnUntraced(function* (options: Partial<SqlStoreOptions> = {}) {
    const url = newUrl();
    const [one, other] = [yield* open(url, { leaseMs: 60_000 }), yield* open(url, options)];
    yield* one.store.save(yield* signIn("rt-1"));
    return { url, one, other };
  });
  describe(`the lease of a refresh in ${name}`, () => {
    it("has one holder at a time, and tokens that grow", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const programs = yield* Effect.all(Array.from({ length: 4 }, () => open(url)));
          let [inside, most] = [0, 0];
          const turn = ({ lock }: SqlStore) =>
            Effect.scoped(
              Effect.gen(function* () {
                const { fencingToken } = yield* lock.acquire;
                most = Math.max(most, ++inside);
                yield* Effect.sleep(20);
                inside--;
                return fencingToken;
              }),
            );
          const tokens = yield* Effect.all(programs.map(turn), { concurrency: "unbounded" });
          expect(most).toBe(1);
          expect(tokens.toSorted((a = 0, b = 0) => a - b)).toEqual([1, 2, 3, 4]);
        }),
      ));

    it("is extended while it is held, so that others wait for as long as their options say", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const [one, other] = [yield* open(url), yield* open(url, { maxLockWaitMs: 900 })];
          yield* one.lock.acquire;
          const error = yield* Effect.flip(Effect.scoped(other.lock.acquire));
          expect(error._tag).toBe("LeaseBusy");
        }),
      ));

    it("is not waited for longer by another task of its holder", () =>
      run(
        Effect.gen(function* () {
          const one = yield* open(newUrl(), { maxLockWaitMs: 100 });
          yield* one.lock.acquire;
          const error = yield* Effect.flip(Effect.scoped(one.lock.acquire));
          expect(error._tag).toBe("LeaseBusy");
        }),
      ));

    it("ends by the database's clock if its holder was killed before it spent anything", () =>
      run(
        Effect.gen(function* () {
          const { one, other, url } = yield* openTwo();
          yield* one.lock.acquire;
          yield* endLease(url);
          expect(yield* tokenOf(other)).toBe(2);
        }),
      ));

    it("cannot be confirmed by a holder that was stopped for too long", () =>
      run(
        Effect.gen(function* () {
          const { one, other, url } = yield* openTwo();
          const { confirm } = yield* one.lock.acquire;
          yield* endLease(url);
          yield* tokenOf(other);
          expect((yield* Effect.flip(confirm))._tag).toBe("LeaseLost");
        }),
      ));

    it("does not let a stopped holder write after the next one", () =>
      run(
        Effect.gen(function* () {
          const { one, other, url } = yield* openTwo();
          const { fencingToken = 0 } = yield* one.lock.acquire;
          yield* endLease(url);
          yield* other.lock.acquire;
          const late = one.store.save(yield* signIn("rt-2"), { expected: "1", fencingToken });
          expect((yield* Effect.flip(late))._tag).toBe("LeaseLost");
          expect((yield* rowOf(url))["version"]).toSatisfy((it) => Number(it) === 1);
        }),
      ));

    it("lets a holder write late if no other one has taken the lease since", () =>
      run(
        Effect.gen(function* () {
          const { one, url } = yield* openTwo();
          const { confirm, fencingToken = 0 } = yield* one.lock.acquire;
          yield* confirm;
          yield* endLease(url);
          yield* one.store.save(yield* signIn("rt-2"), { expected: "1", fencingToken });
          expect(Option.getOrThrow(yield* one.store.load).version).toBe("2");
        }),
      ));

    it("is not given to another program while a token may have been spent", () =>
      run(
        Effect.gen(function* () {
          const { one, other, url } = yield* openTwo();
          const { confirm, fencingToken = 0 } = yield* one.lock.acquire;
          yield* confirm;
          yield* endLease(url);
          const error = yield* Effect.flip(tokenOf(other));
          expect(error._tag).toBe("RefreshInterrupted");
          expect(error.message).toContain(`(process ${process.pid})`);
          // The holder was only stopped: what it received is stored, and the doubt is over.
          yield* one.store.save(yield* signIn("rt-2"), { expected: "1", fencingToken });
          expect(yield* tokenOf(other)).toBe(2);
        }),
      ));

    it.each([
      {
        title: "the same program once its lease is released",
        isReleased: true,
        end: (one: SqlStore) => tokenOf(one),
      },
      {
        title: "anyone after a new sign-in",
        isReleased: false,
        end: (_: SqlStore, other: SqlStore) =>
          Effect.andThen(
            Effect.flatMap(signIn("rt-9"), (document) => other.store.save(document)),
            tokenOf(other),
          ),
      },
      {
        title: "anyone after the attempts have failed",
        isReleased: false,
        end: (one: SqlStore, other: SqlStore) =>
          Effect.andThen(
            one.lock.recordOutcome(outcome({ _tag: "Failed", failures: 1 })),
            tokenOf(other),
          ),
      },
    ])("is given to $title", ({ end, isReleased }) =>
      run(
        Effect.gen(function* () {
          const { one, other, url } = yield* openTwo();
          const spend = Effect.flatMap(one.lock.acquire, ({ confirm }) => confirm);
          yield* isReleased ? Effect.scoped(spend) : spend;
          yield* endLease(url);
          expect(yield* end(one, other)).toBe(2);
        }),
      ),
    );

    it.each([
      { title: "a change that keeps the refresh token", result: undefined },
      { title: "an outcome that says that there is a new pair", result: { _tag: "Refreshed" } },
      { title: "an answer without a pair", result: { _tag: "Failed", isSpent: true } },
    ])("is not given to another program after $title", ({ result }) =>
      run(
        Effect.gen(function* () {
          const { one, other, url } = yield* openTwo();
          const { confirm } = yield* one.lock.acquire;
          yield* confirm;
          if (result === undefined) yield* other.store.save(yield* signIn("rt-1", "at-2"));
          else yield* one.lock.recordOutcome(outcome(result));
          yield* endLease(url);
          expect((yield* Effect.flip(tokenOf(other)))._tag).toBe("RefreshInterrupted");
        }),
      ),
    );

    it("is still granted to another program that is configured to send a spent token again", () =>
      run(
        Effect.gen(function* () {
          const { one, other, url } = yield* openTwo({ interruptedRefresh: "retry" });
          const { confirm, fencingToken = 0 } = yield* one.lock.acquire;
          yield* confirm;
          yield* endLease(url);
          expect(yield* tokenOf(other)).toBe(2);
          const late = one.store.save(yield* signIn("rt-2"), { expected: "1", fencingToken });
          expect((yield* Effect.flip(late))._tag).toBe("LeaseLost");
        }),
      ));

    it("shares the outcome of its holder with every program", () =>
      run(
        Effect.gen(function* () {
          const { one, other } = yield* openTwo();
          expect(yield* other.lock.lastOutcome).toEqual(Option.none());
          yield* Effect.scoped(
            Effect.andThen(one.lock.acquire, one.lock.recordOutcome(outcome({ _tag: "Rejected" }))),
          );
          expect(yield* other.lock.lastOutcome).toEqual(
            Option.some('{"id":"1","result":{"_tag":"Rejected"}}'),
          );
        }),
      ));
  });
}
