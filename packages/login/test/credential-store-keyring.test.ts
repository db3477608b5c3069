import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AsyncEntry } from "@napi-rs/keyring";
import { type Desktop, missingKeyring, startDesktop } from "@agent-auth/tools/desktop";
import type { AuthDocument } from "../src/storage/auth-json/index.ts";
import { layer } from "../src/storage/configured.ts";
import { type CredentialsStoreMode, CredentialStore } from "../src/storage/index.ts";
import type { CodexHome } from "../src/config/environment.ts";
import type { HomeLockError, StoreWarning } from "../src/errors/store.ts";
import { missingCodex, runCodex } from "./support/codex.ts";
import { credentialStoreContract } from "./support/credential-store.contract.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";
import type { HomeLockHeld } from "../src/storage/lock/index.ts";
import { locked } from "./support/lock.ts";

if (missingKeyring !== undefined) console.warn(`skipped: ${missingKeyring}`);

let desktop: Desktop | undefined;
const running = (): Desktop => {
  if (desktop === undefined) throw new Error("the desktop has not started");
  return desktop;
};

const apiKey: AuthDocument = { authMode: "apikey", openaiApiKey: Redacted.make("sk-1") };

/** What Codex would look up: computed apart from the code under test. */
const entryOf = (home: CodexHome): AsyncEntry => {
  const digits = createHash("sha256").update(home.path).digest("hex").slice(0, 16);
  return new AsyncEntry("Codex Auth", `cli|${digits}`, { linux: { store: "secret-service" } });
};

const open = (mode: CredentialsStoreMode, codexHome: CodexHome) => {
  const warnings: Array<string> = [];
  const onWarning = (error: StoreWarning) => Effect.sync(() => void warnings.push(error.code));
  const use = <A, E>(
    work: (store: CredentialStore["Service"]) => Effect.Effect<A, E, HomeLockHeld>,
  ): Effect.Effect<A, E | HomeLockError> =>
    Effect.provide(locked(CredentialStore.use(work)), layer({ mode, codexHome, onWarning }));
  return { use, warnings, file: join(codexHome.path, "auth.json") };
};

const keyOf = (json: string | null | undefined): unknown =>
  json === null || json === undefined ? json : JSON.parse(json).OPENAI_API_KEY;

describe.skipIf(missingKeyring !== undefined)("with the keyring of a desktop", () => {
  beforeAll(async () => {
    desktop = await startDesktop();
  });
  afterAll(() => desktop?.[Symbol.asyncDispose]());

  credentialStoreContract("keyring", "Keyring");
  credentialStoreContract("auto", "Keyring");

  describe("CredentialStore, keyring", () => {
    it.live("stores compact JSON under the service and account that Codex uses", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        yield* open("keyring", home).use((store) => store.save(apiKey));
        expect(yield* Effect.promise(() => entryOf(home).getPassword())).toBe(
          `{"auth_mode":"apikey","OPENAI_API_KEY":"sk-1"}`,
        );
      }),
    );

    it.live("uses the canonical path of a CODEX_HOME that is a link", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const link = join(temporaryFolder(), "link");
        symlinkSync(home.path, link);
        yield* open("keyring", { path: link, explicit: true }).use((store) => store.save(apiKey));
        const found = yield* Effect.promise(() => entryOf(home).getPassword());
        expect(keyOf(found)).toBe("sk-1");
      }),
    );

    it.live("removes auth.json after a save, and both on removal", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        const { use, file } = open("keyring", home);
        writeFileSync(file, `{"OPENAI_API_KEY":"sk-old"}`);
        yield* use((store) => store.save(apiKey));
        expect(existsSync(file)).toBe(false);
        writeFileSync(file, `{"OPENAI_API_KEY":"sk-old"}`);
        expect(yield* use((store) => store.remove())).toBe(true);
        expect(existsSync(file)).toBe(false);
        expect(yield* Effect.promise(() => entryOf(home).getPassword())).toBe(null);
      }),
    );

    it.live("does not look at auth.json when it loads", () =>
      Effect.gen(function* () {
        const { use, file } = open("keyring", temporaryHome());
        writeFileSync(file, `{"OPENAI_API_KEY":"sk-old"}`);
        expect(Option.isNone(yield* use((store) => store.load))).toBe(true);
      }),
    );

    it.live("fails on an entry that is not a document, and keeps it", () =>
      Effect.gen(function* () {
        const home = temporaryHome();
        yield* Effect.promise(() => entryOf(home).setPassword("canary"));
        for (const mode of ["keyring", "auto"] as const) {
          const error = yield* Effect.flip(open(mode, home).use((store) => store.load));
          expect(error.code).toBe("LOGIN_AUTH_JSON_INVALID");
          expect(error.message).toContain("OS keyring");
          expect(error.message).not.toContain("canary");
        }
        expect(yield* Effect.promise(() => entryOf(home).getPassword())).toBe("canary");
      }),
    );
  });

  describe.skipIf(missingCodex !== undefined)("the real Codex and our keyring store", () => {
    const inKeyring = ["-c", 'cli_auth_credentials_store="keyring"'];

    it.live(
      "read, replace and remove each other's entry",
      () =>
        Effect.gen(function* () {
          const home = temporaryHome();
          const { use, file } = open("keyring", home);
          const codex = (args: ReadonlyArray<string>, input?: string) =>
            Effect.promise(() => runCodex(home, [...args, ...inKeyring], input));

          yield* codex(["login", "--with-api-key"], "sk-proj-written-by-codex-11111");
          const found = Option.getOrThrow(yield* use((store) => store.load));
          expect(found.document.openaiApiKey && Redacted.value(found.document.openaiApiKey)).toBe(
            "sk-proj-written-by-codex-11111",
          );
          const ours: AuthDocument = {
            ...apiKey,
            openaiApiKey: Redacted.make("sk-proj-ours-22222"),
          };
          yield* use((store) => store.save(ours));
          expect((yield* codex(["login", "status"])).stderr).toContain("sk-proj-***22222");
          yield* codex(["logout"]);
          expect(Option.isNone(yield* use((store) => store.load))).toBe(true);

          yield* codex(["login", "--with-api-key"], "sk-proj-written-by-codex-33333");
          expect(yield* use((store) => store.remove())).toBe(true);
          expect((yield* codex(["login", "status"])).stderr).toContain("Not logged in");
          expect(existsSync(file)).toBe(false);
        }),
      60_000,
    );
  });

  describe("CredentialStore, auto", () => {
    it.live("finds what is in the file while the keyring has nothing", () =>
      Effect.gen(function* () {
        const { use, file, warnings } = open("auto", temporaryHome());
        writeFileSync(file, `{"OPENAI_API_KEY":"sk-file"}`);
        const found = Option.getOrThrow(yield* use((store) => store.load));
        expect(found.source).toEqual({ _tag: "File", path: file });
        expect(warnings).toEqual([]);
      }),
    );

    it.live("prefers the keyring", () =>
      Effect.gen(function* () {
        const { use, file } = open("auto", temporaryHome());
        yield* use((store) => store.save(apiKey));
        writeFileSync(file, `{"OPENAI_API_KEY":"sk-file"}`);
        const found = Option.getOrThrow(yield* use((store) => store.load));
        expect(found.source._tag).toBe("Keyring");
      }),
    );
  });

  describe("when the keyring stops in between", () => {
    it.live(
      "fails with a typed error, keeps the old credential, and auto continues with the file",
      () =>
        Effect.gen(function* () {
          const home = temporaryHome();
          const keyring = open("keyring", home);
          const auto = open("auto", home);
          yield* keyring.use((store) => store.save(apiKey));
          const newer: AuthDocument = { ...apiKey, openaiApiKey: Redacted.make("sk-newer") };

          // The bus starts another keyring at once, which stays locked: the old credential in it cannot be read.
          running().killKeyring();
          for (const operation of [
            keyring.use((store) => Effect.asVoid(store.load)),
            keyring.use((store) => Effect.asVoid(store.save(newer))),
            keyring.use((store) => store.checkWritable),
            keyring.use((store) => Effect.asVoid(store.remove())),
          ]) {
            const error = yield* Effect.flip(operation);
            expect(error.code).toBe("LOGIN_KEYRING_UNAVAILABLE");
            expect(error.message).not.toContain("sk-");
          }
          expect(existsSync(keyring.file)).toBe(false);

          expect(Option.isNone(yield* auto.use((store) => store.load))).toBe(true);
          expect((yield* auto.use((store) => store.save(newer)))._tag).toBe("File");
          expect(keyOf(readFileSync(auto.file, "utf8"))).toBe("sk-newer");
          expect(Option.isSome(yield* auto.use((store) => store.load))).toBe(true);
          expect(yield* auto.use((store) => store.remove())).toBe(true);
          expect(existsSync(auto.file)).toBe(false);
          expect(auto.warnings).toEqual(
            Array.from({ length: 4 }, () => "LOGIN_KEYRING_UNAVAILABLE"),
          );
        }),
    );
  });
});
