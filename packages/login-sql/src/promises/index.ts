import { type PromiseStorage, toPromiseStorage } from "@agent-auth/login/promises/storage";
import type { AuthDocument } from "@agent-auth/login/storage/auth-json";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Option from "effect/Option";
import type * as Redacted from "effect/Redacted";
import * as Scope from "effect/Scope";
import {
  makeSqlStore,
  migrateSqlStore as migrate,
  openSqlStorage,
  type SqlStore,
  type SqlStoreOptions,
} from "../store/index.ts";

export { describeStoreUrl, generateStoreKey, type KeySource } from "../index.ts";
export type { SqlStoreOptions } from "../store/index.ts";

/** `SqlStore` with promises instead of Effects. */
export interface PromiseSqlStore extends AsyncDisposable {
  /** For `createAuthManager({ storage })`. Each manager opens and closes its own connections. */
  readonly storage: PromiseStorage;
  /** The document that the stored one replaced; `null` if there is none. */
  readonly previous: () => Promise<AuthDocument | null>;
  /** Encrypts the stored document with the first key. Returns false if it is already encrypted with that key. */
  readonly reencrypt: () => Promise<boolean>;
  /** Closes the connections of `previous` and `reencrypt`. */
  readonly close: () => Promise<void>;
}

/**
 * Returns a store that keeps a sign-in in a database. Nothing is read or sent until the store is used. Throws
 * `SqlStoreConfigInvalid` if the URL, the name or the keys are not usable.
 *
 * @example
 * ```ts
 * import { createAuthManager } from "@agent-auth/login/promises";
 * import { generateStoreKey, openSqlStore } from "@agent-auth/login-sql/promises";
 * import * as Redacted from "effect/Redacted";
 *
 * const keys = { _tag: "Text", keys: Redacted.make(generateStoreKey("k1")) } as const;
 * await using store = openSqlStore("sqlite::memory:", { keys });
 * await using manager = createAuthManager({
 *   storage: store.storage,
 *   environmentCredentials: false,
 *   variables: {},
 * });
 * await manager.loginWithApiKey("sk-example"); // encrypted, in the database
 * ```
 */
export const openSqlStore = (
  url: string | Redacted.Redacted,
  options: Omit<SqlStoreOptions, "url">,
): PromiseSqlStore => {
  const all = { ...options, url };
  const storage = toPromiseStorage(Effect.runSync(openSqlStorage(all)));
  const scope = Effect.runSync(Scope.make());
  const opened = Effect.runSync(Effect.cached(Scope.provide(makeSqlStore(all), scope)));
  const run = <A, E>(use: (store: SqlStore) => Effect.Effect<A, E>): Promise<A> =>
    Effect.runPromise(Effect.flatMap(opened, use));
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void));
  return {
    storage,
    previous: () => run(({ previous }) => Effect.map(previous, Option.getOrNull)),
    reencrypt: () => run(({ reencrypt }) => reencrypt),
    close,
    [Symbol.asyncDispose]: close,
  };
};

/**
 * Creates or updates the tables of a database. Needs a role that may create tables. Rejects with
 * `SqlStoreMigrationFailed`.
 *
 * @example
 * ```ts
 * import { migrateSqlStore } from "@agent-auth/login-sql/promises";
 *
 * await migrateSqlStore("sqlite::memory:");
 * ```
 */
export const migrateSqlStore = (url: string | Redacted.Redacted): Promise<void> =>
  Effect.runPromise(migrate(url));
