import { describe, expect, it } from "@effect/vitest";
import * as Cause from "effect/Cause";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { inspect } from "node:util";
import {
  type AuthDocument,
  encodeAuthJson,
  parseAuthJson,
} from "../../src/storage/auth-json/index.ts";
import { layer } from "../../src/storage/configured.ts";
import { type CredentialsStoreMode, CredentialStore } from "../../src/storage/index.ts";
import type { HomeLockError } from "../../src/errors/store.ts";
import type { HomeLockHeld } from "../../src/storage/lock/index.ts";
import { locked } from "./lock.ts";
import { temporaryHome } from "./home.ts";

const apiKey = (key: string): AuthDocument => ({
  authMode: "apikey",
  openaiApiKey: Redacted.make(key),
});

const everything = `{"a":1.0,"auth_mode":"chatgpt","OPENAI_API_KEY":null,"tokens":{"id_token":"a.b.c","access_token":"${"x".repeat(3000)}","refresh_token":"r","later":[1e400],"account_id":"acc"},"last_refresh":"2026-04-13T12:00:00.123456Z","agent_identity":{"workspace_id":"w","agent_runtime_id":"r","agent_private_key":"k"},"personal_access_token":"at-ü","z":{"__proto__":null}}`;

const compact = (document: AuthDocument): string => encodeAuthJson(document, { layout: "compact" });

/** Tests the behaviour that every store must have. */
export const credentialStoreContract = (mode: CredentialsStoreMode, tag: string): void => {
  const open = () => {
    const codexHome = temporaryHome();
    // Built for each use, as by another program: each must see what the others write. Memory belongs to one layer.
    const built = Effect.scoped(Layer.build(layer({ mode, codexHome })));
    const stores =
      mode === "ephemeral"
        ? Layer.effectContext(Effect.runSync(Effect.cached(built)))
        : Layer.fresh(layer({ mode, codexHome }));
    const use = <A, E>(
      work: (store: CredentialStore["Service"]) => Effect.Effect<A, E, HomeLockHeld>,
    ): Effect.Effect<A, E | HomeLockError> =>
      Effect.provide(locked(CredentialStore.use(work)), stores);
    const stored = Effect.map(
      use((store) => store.load),
      Option.map((found) => compact(found.document)),
    );
    return { use, stored };
  };

  describe(`CredentialStore, ${mode}`, () => {
    it.live("has nothing at first, and says so without an error", () =>
      Effect.gen(function* () {
        const { use, stored } = open();
        expect(yield* stored).toEqual(Option.none());
        expect(yield* use((store) => store.remove())).toBe(false);
      }),
    );

    it.live("loads all that was saved, unknown keys included, and says where it is", () =>
      Effect.gen(function* () {
        const { use, stored } = open();
        const document = yield* parseAuthJson(everything);
        const source = yield* use((store) => store.save(document));
        expect(source._tag).toBe(tag);
        expect(yield* stored).toEqual(Option.some(everything));
        const found = yield* use((store) => store.load);
        expect(Option.map(found, (it) => it.source)).toEqual(Option.some(source));
      }),
    );

    it.live("replaces the whole document", () =>
      Effect.gen(function* () {
        const { use, stored } = open();
        yield* use((store) => store.save({ personalAccessToken: Redacted.make("at-1") }));
        yield* use((store) => store.save(apiKey("sk-2")));
        expect(yield* stored).toEqual(Option.some(compact(apiKey("sk-2"))));
      }),
    );

    it.live("removes it once", () =>
      Effect.gen(function* () {
        const { use, stored } = open();
        yield* use((store) => store.save(apiKey("sk-1")));
        expect(yield* use((store) => store.remove())).toBe(true);
        expect(yield* stored).toEqual(Option.none());
        expect(yield* use((store) => store.remove())).toBe(false);
      }),
    );

    it.live("keeps the sign-ins of two folders apart", () =>
      Effect.gen(function* () {
        const [one, other] = [open(), open()];
        yield* one.use((store) => store.save(apiKey("sk-one")));
        expect(yield* other.stored).toEqual(Option.none());
        yield* other.use((store) => store.save(apiKey("sk-other")));
        yield* other.use((store) => store.remove());
        expect(yield* one.stored).toEqual(Option.some(compact(apiKey("sk-one"))));
      }),
    );

    it.live("holds one whole document after many saves at once", () =>
      Effect.gen(function* () {
        const { use, stored } = open();
        const documents = Array.from({ length: 12 }, (_, index) => apiKey(`sk-${index}`));
        yield* Effect.forEach(documents, (document) => use((store) => store.save(document)), {
          concurrency: "unbounded",
        });
        const last = Option.getOrThrow(yield* stored);
        expect(documents.map(compact)).toContain(last);
      }),
    );

    it.live("is not changed by a fiber that outlives the lock", () =>
      Effect.gen(function* () {
        const { use, stored } = open();
        const late = yield* use((store) =>
          Effect.gen(function* () {
            const released = yield* Deferred.make<void>();
            const save = Effect.andThen(Deferred.await(released), store.save(apiKey("sk-late")));
            return { released, fiber: yield* Effect.forkDetach(save) };
          }),
        );
        yield* Deferred.succeed(late.released, undefined);
        const exit = yield* Fiber.await(late.fiber);
        expect(String(Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit)).toContain(
          "a credential store was changed after its HomeLock was released",
        );
        expect(yield* stored).toEqual(Option.none());
      }),
    );

    it.live("can be asked whether a save would work, which changes nothing", () =>
      Effect.gen(function* () {
        const { use, stored } = open();
        yield* use((store) => store.checkWritable);
        expect(yield* stored).toEqual(Option.none());
        yield* use((store) => store.save(apiKey("sk-1")));
        yield* use((store) => store.checkWritable);
        expect(yield* stored).toEqual(Option.some(compact(apiKey("sk-1"))));
      }),
    );

    it.live("shows no secret when it is printed", () =>
      Effect.gen(function* () {
        const { use } = open();
        const canary = "canary-41c2";
        const document = yield* parseAuthJson(
          everything.replaceAll(/"(r|k|at-ü)"/g, `"${canary}"`),
        );
        yield* use((store) => store.save(document));
        const shown = yield* use((store) =>
          Effect.map(store.load, (found) => [
            inspect(store, { depth: 12, showHidden: true }),
            inspect(found, { depth: 12, showHidden: true }),
            JSON.stringify([store, found]),
            String(found),
          ]),
        );
        expect(shown.join("\n")).not.toContain(canary);
      }),
    );

    it("describes itself", async () => {
      const describe = await Effect.runPromise(
        open().use((store) => Effect.succeed(store.describe)),
      );
      expect(describe.mode).toBe(mode);
      expect(describe.places.map((place) => place._tag)).toContain(tag);
      expect(describe.isPersistent).toBe(mode !== "ephemeral");
    });
  });
};
