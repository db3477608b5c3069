import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Logger from "effect/Logger";
import * as TestClock from "effect/testing/TestClock";
import { vi } from "vitest";
import { followStore } from "../../src/manager/follow-store.ts";
import { makeKeyringStore } from "../../src/storage/keyring.ts";
import { makeCredentialStore } from "../../src/storage/pending-tokens.ts";
import { temporaryHome } from "../support/home.ts";

const keyring = vi.hoisted(() => ({ entry: null as string | null, isLocked: false, reads: 0 }));

vi.mock("@napi-rs/keyring", () => ({
  AsyncEntry: class {
    getPassword = async () => {
      keyring.reads += 1;
      if (keyring.isLocked) throw new Error("the collection is locked");
      return keyring.entry;
    };
  },
}));

const document = (key: string) => JSON.stringify({ auth_mode: "apikey", OPENAI_API_KEY: key });

/** Moves the clock second by second, so that the keyring can answer in between. */
const pass = Effect.fnUntraced(function* (seconds: number) {
  for (let second = 0; second < seconds; second++) {
    yield* TestClock.adjust("1 second");
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)));
  }
});

const follow = Effect.gen(function* () {
  Object.assign(keyring, { entry: document("sk-one"), isLocked: false, reads: 0 });
  const codexHome = temporaryHome();
  const store = makeCredentialStore(makeKeyringStore({ codexHome }));
  const seen = { reloads: 0 };
  const reload = Effect.sync(() => void (seen.reloads += 1));
  yield* Effect.forkScoped(yield* followStore({ store, codexHome, reload }));
  return seen;
});

describe("followStore, with a keyring", () => {
  it.effect("loads again within five seconds after another program changed the entry", () =>
    Effect.gen(function* () {
      const seen = yield* follow;
      yield* pass(10);
      expect(seen.reloads).toBe(0);
      keyring.entry = document("sk-two");
      yield* pass(6);
      expect(seen.reloads).toBe(1);
      keyring.entry = null;
      yield* pass(6);
      expect(seen.reloads).toBe(2);
    }),
  );

  it.effect("reads the keyring every five seconds, not at every check", () =>
    Effect.gen(function* () {
      yield* follow;
      yield* pass(20);
      expect(keyring.reads).toBeLessThanOrEqual(6);
      expect(keyring.reads).toBeGreaterThanOrEqual(4);
    }),
  );

  it.effect(
    "warns of a locked keyring, keeps the credential, and asks again after a minute",
    () => {
      const warnings: Array<string> = [];
      const logger = Logger.make(({ message }) => void warnings.push([message].flat().join(" ")));
      return Effect.gen(function* () {
        const seen = yield* follow;
        keyring.isLocked = true;
        yield* pass(10);
        const { reads } = keyring;
        expect(warnings).toEqual([
          "OS keyring is not available (load): the collection is locked (LOGIN_KEYRING_UNAVAILABLE)",
        ]);
        yield* pass(40);
        expect([seen.reloads, keyring.reads - reads]).toEqual([0, 0]);
        keyring.isLocked = false;
        keyring.entry = document("sk-two");
        yield* pass(30);
        expect(seen.reloads).toBe(1);
      }).pipe(Effect.provide(Logger.layer([logger])));
    },
  );
});
