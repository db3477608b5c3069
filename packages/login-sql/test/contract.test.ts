import { lockContract, storeContract } from "@agent-auth/login/testing";
import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { makeSqlStore } from "../src/index.ts";
import { quick, useDatabases } from "./support/databases.ts";
import { setRow } from "./support/row.ts";

for (const { name, newUrl } of useDatabases()) {
  const open = Effect.gen(function* () {
    const url = newUrl();
    const options = { ...quick, url, leaseMs: 60_000 };
    const [first, second] = [yield* makeSqlStore(options), yield* makeSqlStore(options)];
    return { url, first, second };
  }).pipe(Effect.orDie);

  describe(`the contract of stores, ${name}`, () => {
    const cases = storeContract({
      open: Effect.map(open, ({ first, second }) => ({ first: first.store, second: second.store })),
    });
    it.each(cases)("$name", async ({ run }) => {
      await expect(run()).resolves.toBeUndefined();
    });
  });

  describe(`the contract of locks, ${name}`, () => {
    const cases = lockContract({
      open: Effect.map(open, ({ first, second, url }) => ({
        first: first.lock,
        second: second.lock,
        store: first.store,
        expireLease: () =>
          Effect.runPromise(
            Effect.asVoid(Effect.orDie(setRow(url, "default", { lease_until_ms: 0 }))),
          ),
      })),
    });
    it.each(cases)("$name", async ({ run }) => {
      await expect(run()).resolves.toBeUndefined();
    });
  });
}
