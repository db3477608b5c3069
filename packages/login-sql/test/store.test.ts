import { StoreUnreadable } from "@agent-auth/login/errors";
import { encodeAuthJson, type AuthDocument } from "@agent-auth/login/storage/auth-json";
import { inspect } from "node:util";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Stream from "effect/Stream";
import { describe, expect, it } from "vitest";
import { makeSqlStore, type SqlStoreOptions } from "../src/index.ts";
import { keyLine, keys, quick, textKeys, useDatabases } from "./support/databases.ts";
import { run } from "./support/run.ts";
import { rowOf, setRow } from "./support/row.ts";

const apiKey = (key: string): AuthDocument => ({
  authMode: "apikey",
  openaiApiKey: Redacted.make(key),
});
const keyOf = ({ openaiApiKey }: AuthDocument) => openaiApiKey && Redacted.value(openaiApiKey);

const open = (url: string, options: Partial<SqlStoreOptions> = {}) =>
  makeSqlStore({ ...quick, url, ...options });

for (const { name, newUrl } of useDatabases()) {
  const stored = (url: string, options: Partial<SqlStoreOptions> = {}) =>
    Effect.gen(function* () {
      const { store } = yield* open(url, options);
      return Option.getOrUndefined(
        Option.map(yield* store.load, ({ document }) => keyOf(document)),
      );
    });

  describe(`a store in ${name}`, () => {
    it("has nothing at first; each program sees what another one has saved", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const [one, other] = [yield* open(url), yield* open(url)];
          expect(yield* one.store.load).toEqual(Option.none());
          yield* one.store.save(apiKey("sk-1"));
          const found = Option.getOrThrow(yield* other.store.load);
          expect([keyOf(found.document), found.version]).toEqual(["sk-1", "1"]);
        }),
      ));

    it("is changed by one of two programs that start from the same version", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const stores = [yield* open(url), yield* open(url)];
          yield* stores[0]!.store.save(apiKey("sk-0"));
          for (let version = 1; version <= 5; version++) {
            const saves = stores.map(({ store }, index) =>
              Effect.result(
                store.save(apiKey(`sk-${version}-${index}`), { expected: `${version}` }),
              ),
            );
            const tags = (yield* Effect.all(saves, { concurrency: "unbounded" })).map((result) =>
              result._tag === "Success" ? "saved" : result.failure._tag,
            );
            expect(tags.toSorted()).toEqual(["StoreConflict", "saved"]);
          }
        }),
      ));

    it.each([
      { title: "saved where nothing was expected", expected: null },
      { title: "saved on another version", expected: "7" },
    ])("is not changed if it is $title", ({ expected }) =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const { store } = yield* open(url);
          yield* store.save(apiKey("sk-1"));
          const error = yield* Effect.flip(store.save(apiKey("sk-2"), { expected }));
          expect(error._tag).toBe("StoreConflict");
          expect(yield* stored(url)).toBe("sk-1");
        }),
      ),
    );

    it("succeeds if a save is repeated whose answer was lost", () =>
      run(
        Effect.gen(function* () {
          const { store } = yield* open(newUrl());
          yield* store.save(apiKey("sk-1"));
          for (let times = 0; times < 2; times++)
            yield* store.save(apiKey("sk-2"), { expected: "1" });
          expect(Option.getOrThrow(yield* store.load).version).toBe("2");
        }),
      ));

    it("keeps the document before the last, and forgets everything when it is removed", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const { lock, previous, store } = yield* open(url);
          yield* store.save(apiKey("sk-1"));
          yield* store.save(apiKey("sk-2"));
          yield* lock.recordOutcome('{"id":"1"}');
          expect(Option.map(yield* previous, keyOf)).toEqual(Option.some("sk-1"));
          expect(yield* store.remove()).toBe(true);
          expect(yield* store.remove()).toBe(false);
          expect(yield* rowOf(url)).toMatchObject({ content: null, previous: null, outcome: null });
          expect(yield* previous).toEqual(Option.none());
        }),
      ));

    it("keeps sign-ins apart", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          for (const signIn of ["ada", "bob"]) {
            const { store } = yield* open(url, { signIn });
            yield* store.save(apiKey(`sk-${signIn}`));
          }
          expect(yield* stored(url, { signIn: "ada" })).toBe("sk-ada");
          expect(yield* stored(`${url}${url.includes("?") ? "&" : "?"}sign_in=bob`)).toBe("sk-bob");
          expect(yield* stored(url)).toBeUndefined();
        }),
      ));

    it("notifies the others of a change within a second", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const [one, other] = [yield* open(url), yield* open(url)];
          yield* one.store.save(apiKey("sk-1"));
          const told = yield* Effect.forkChild(
            (other.store.changes ?? Stream.never).pipe(
              Stream.mapEffect(() => other.store.load),
              Stream.takeUntil((found) => Option.getOrThrow(found).version === "2"),
              Stream.runDrain,
            ),
          );
          yield* Effect.sleep(300);
          yield* one.store.save(apiKey("sk-2"));
          const isTold = yield* Effect.timeoutOption(Fiber.join(told), 1_000);
          expect(isTold._tag).toBe("Some");
        }),
      ));

    it("is prepared once by many programs that start at the same time", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const loads = Array.from({ length: 8 }, () => stored(url));
          const found = yield* Effect.all(loads, { concurrency: "unbounded" });
          expect(found).toEqual(Array.from({ length: 8 }, () => undefined));
        }),
      ));
  });

  describe(`what is stored in ${name}`, () => {
    it("is encrypted, the document before it and the outcome included", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const { lock, store } = yield* open(url);
          yield* store.save(apiKey("canary-1"));
          yield* store.save(apiKey("canary-2"));
          yield* lock.recordOutcome('{"id":"canary-3"}');
          const row = inspect(yield* rowOf(url), { maxStringLength: null });
          expect(row).not.toContain("canary");
          expect(row).not.toContain(
            Buffer.from(encodeAuthJson(apiKey("canary-2")))
              .toString("base64url")
              .slice(0, 40),
          );
        }),
      ));

    it("is not read nor replaced with another key of the same id, but can be removed", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          yield* Effect.flatMap(open(url), ({ store }) => store.save(apiKey("sk-1")));
          const { store } = yield* open(url, { keys: textKeys(keyLine("k1", 2)) });
          const errors = [
            yield* Effect.flip(store.load),
            yield* Effect.flip(store.save(apiKey("sk-2"))),
          ];
          for (const error of errors) {
            expect(error).toBeInstanceOf(StoreUnreadable);
            expect(error.message).toContain('the key "k1" does not decrypt it');
          }
          expect(yield* stored(url)).toBe("sk-1");
          expect(yield* store.remove()).toBe(true);
        }),
      ));

    it("names the key that is missing", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          yield* Effect.flatMap(open(url), ({ store }) => store.save(apiKey("sk-1")));
          const { store } = yield* open(url, { keys: textKeys(keyLine("k2", 2)) });
          const { message } = yield* Effect.flip(store.load);
          expect(message).toContain('it is encrypted with the key "k1", which is not among');
        }),
      ));

    it("changes its key at the next save, or when it is asked to", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const [k1, k2] = [keyLine("k1", 1), keyLine("k2", 2)];
          yield* Effect.flatMap(open(url), ({ store }) => store.save(apiKey("sk-1")));
          const { reencrypt, store } = yield* open(url, { keys: textKeys(k2, k1) });
          expect(yield* reencrypt).toBe(true);
          expect(yield* reencrypt).toBe(false);
          expect(yield* stored(url, { keys: textKeys(k2) })).toBe("sk-1");
          yield* store.save(apiKey("sk-2"));
          expect(yield* stored(url, { keys: textKeys(k2) })).toBe("sk-2");
        }),
      ));

    it("is not taken for another row's", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          for (const signIn of ["ada", "bob"])
            yield* Effect.flatMap(open(url, { signIn }), ({ store }) => store.save(apiKey(signIn)));
          const { content } = yield* rowOf(url, "ada");
          yield* setRow(url, "bob", { content });
          const { message } = yield* Effect.flip(stored(url, { signIn: "bob" }));
          expect(message).toContain("it was encrypted for another row or version");
        }),
      ));

    it("is not taken for a newer version of itself", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const { store } = yield* open(url);
          yield* store.save(apiKey("sk-1"));
          const { content } = yield* rowOf(url);
          yield* store.save(apiKey("sk-2"));
          yield* setRow(url, "default", { content });
          const { message } = yield* Effect.flip(store.load);
          expect(message).toContain("it was encrypted for another row or version");
        }),
      ));

    it("is stored again by a program that knows it, if the database was set back", () =>
      run(
        Effect.gen(function* () {
          const url = newUrl();
          const { store } = yield* open(url);
          yield* store.save(apiKey("sk-1"));
          const { content, version } = yield* rowOf(url);
          yield* store.save(apiKey("sk-2"));
          yield* setRow(url, "default", { content, version });
          expect(yield* stored(url)).toBe("sk-1");
          const found = Option.getOrThrow(yield* store.load);
          expect([keyOf(found.document), found.version]).toEqual(["sk-2", "3"]);
          expect(yield* stored(url, { keys })).toBe("sk-2");
        }),
      ));
  });
}
