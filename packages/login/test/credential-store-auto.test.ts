import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { vi } from "vitest";
import { layer } from "../src/storage/configured.ts";
import { CredentialStore } from "../src/storage/index.ts";
import { temporaryHome } from "./support/home.ts";
import { locked } from "./support/lock.ts";

const kept = new Map<string, string>();

// Simulates Windows' Credential Manager, whose entries have at most 2560 bytes.
vi.mock("@napi-rs/keyring", () => ({
  AsyncEntry: class {
    readonly #account: string;
    constructor(_: string, account: string) {
      this.#account = account;
    }
    getPassword = async () => kept.get(this.#account) ?? null;
    setPassword = async (value: string) => {
      if (value.length > 2560) throw new Error("the entry would be too large");
      kept.set(this.#account, value);
    };
    deleteCredential = async () => kept.delete(this.#account);
  },
}));

const open = () => {
  const codexHome = temporaryHome();
  const warnings: Array<string> = [];
  const onWarning = (error: { readonly message: string }) =>
    Effect.sync(() => void warnings.push(error.message));
  const stores = layer({ mode: "auto", codexHome, onWarning });
  const store = Effect.provide(CredentialStore, stores);
  const save = (key: string) =>
    locked(CredentialStore.use((it) => it.save({ openaiApiKey: Redacted.make(key) }))).pipe(
      Effect.provide(stores),
    );
  const load = Effect.map(
    Effect.flatMap(store, (it) => it.load),
    Option.map(({ document, source }) => [
      source._tag,
      document.openaiApiKey && Redacted.value(document.openaiApiKey),
    ]),
  );
  return { file: join(codexHome.path, "auth.json"), load, save, warnings };
};

describe("CredentialStore.save, auto, with a keyring whose entries are small", () => {
  it.live("loads the newer sign-in from the file, not the older one from the keyring", () =>
    Effect.gen(function* () {
      const { load, save, warnings } = open();
      const long = `sk-${"x".repeat(4_000)}`;
      yield* save("sk-old");
      expect(yield* load).toEqual(Option.some(["Keyring", "sk-old"]));
      yield* save(long);
      expect(yield* load).toEqual(Option.some(["File", long]));
      expect(warnings).toEqual([
        "OS keyring is not available (save): the entry would be too large",
      ]);
    }),
  );

  it.live("uses the keyring again as soon as the sign-in fits", () =>
    Effect.gen(function* () {
      const { file, load, save } = open();
      yield* save(`sk-${"x".repeat(4_000)}`);
      expect(existsSync(file)).toBe(true);
      yield* save("sk-new");
      expect(yield* load).toEqual(Option.some(["Keyring", "sk-new"]));
      expect(existsSync(file)).toBe(false);
    }),
  );
});
