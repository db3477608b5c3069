import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { AuthDocument } from "../../src/storage/auth-json/index.ts";
import { layer } from "../../src/storage/configured.ts";
import { CredentialStore } from "../../src/storage/index.ts";
import { HomeLock } from "../../src/storage/lock/index.ts";
import type { CodexHome } from "../../src/config/environment.ts";

const apiKey = (key: string): AuthDocument => ({
  authMode: "apikey",
  openaiApiKey: Redacted.make(key),
});

/** What a save of `key` leaves in the file. */
export const text = (key: string): string =>
  `{\n  "auth_mode": "apikey",\n  "OPENAI_API_KEY": "${key}"\n}`;

/** The file store of a home, made once, with its file's path. */
export const openFileStore = (codexHome: CodexHome) => {
  const stores = layer({ mode: "file", codexHome });
  const both = Effect.all({ store: CredentialStore, lock: HomeLock });
  const opened = Effect.runSync(Effect.cached(Effect.provide(both, stores)));
  const store = Effect.map(opened, (it) => it.store);
  return {
    file: join(codexHome.path, "auth.json"),
    load: Effect.flatMap(store, (it) => it.load),
    save: (key: string) =>
      Effect.flatMap(opened, ({ lock, store }) => lock.withLock(store.save(apiKey(key)))),
    remove: Effect.flatMap(opened, ({ lock, store }) =>
      lock.withLockIfAvailable(store.remove(), { onUnavailable: Effect.die }),
    ),
    checkWritable: Effect.flatMap(store, (it) => it.checkWritable),
  };
};

/** Names in a folder that are not those of locks. */
export const namesIn = (path: string): ReadonlyArray<string> =>
  readdirSync(path)
    .filter((name) => !name.endsWith(".lock"))
    .toSorted();
