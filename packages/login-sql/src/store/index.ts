import { randomBytes } from "node:crypto";
import type { StoreError } from "@agent-auth/login/errors";
import {
  layer as customStorage,
  type RefreshLockImplementation,
  type Storage,
} from "@agent-auth/login/storage/custom";
import type { StoreImplementation } from "@agent-auth/login/storage";
import type { AuthDocument } from "@agent-auth/login/storage/auth-json";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import type * as Scope from "effect/Scope";
import { openDatabase } from "../connection/index.ts";
import { defaultSignIn, parseStoreUrl, placeOf, type StorePlace } from "../connection/target.ts";
import { generateStoreKey, type KeySource, makeKeyRing } from "../encryption/index.ts";
import { SqlStoreConfigInvalid, SqlStoreMigrationFailed } from "../errors/index.ts";
import { makeChanges } from "./changes.ts";
import { makeDocuments } from "./documents.ts";
import { makeLease } from "./lease.ts";
import { makeRows } from "./rows.ts";

/** A database and what belongs to one sign-in in it. */
export interface SqlStoreOptions {
  /**
   * `postgres://user:password@host:port/database` or `sqlite:/path`. Parameters: `sign_in`, `table_prefix`; for Postgres
   * also `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `schema`, `notify=poll`, `connect_timeout`, `host` (of a socket).
   */
  readonly url: string | Redacted.Redacted;
  /** Where the keys are that documents are encrypted with. Undefined is an error: nothing is stored in the clear. */
  readonly keys: KeySource | undefined;
  /** Which sign-in: one row for each. Default: `sign_in` of the URL, else `default`. */
  readonly signIn?: string;
  /** Create or update the tables at first use. Default true; false for a role that may not. */
  readonly migrate?: boolean;
  /** Milliseconds that the lease of a killed holder blocks others. Holders extend it four times as often. Default 15000. */
  readonly leaseMs?: number;
  /** Milliseconds to wait for another holder of the lease. Default 60000. */
  readonly maxLockWaitMs?: number;
  /** Milliseconds between two reads of the row while there are no notifications. Default 1000. */
  readonly pollMs?: number;
  /** Milliseconds for one statement, connecting included. Default 5000. */
  readonly statementTimeoutMs?: number;
  /**
   * What happens if a program ended while it spent the refresh token. `refuse` (default): the token is not sent again, and
   * refreshes fail with `RefreshInterrupted`. `retry`: it is sent again after the lease has ended, for authorities that
   * tolerate the reuse of a refresh token.
   */
  readonly interruptedRefresh?: "refuse" | "retry";
}

/** The store of a sign-in in a database. */
export interface SqlStore {
  readonly store: StoreImplementation;
  readonly lock: RefreshLockImplementation;
  readonly place: StorePlace;
  /** The document that the stored one replaced. `None` after a removal. */
  readonly previous: Effect.Effect<Option.Option<AuthDocument>, StoreError>;
  /**
   * Encrypts the stored document with the first key, if it was encrypted with another one: the last step of a rotation.
   * The document before it is dropped. True if something was written.
   */
  readonly reencrypt: Effect.Effect<boolean, StoreError>;
}

const signInName = /^[A-Za-z0-9._-]{1,63}$/;

interface Checked {
  readonly target: Result.Result.Success<ReturnType<typeof parseStoreUrl>>;
  readonly keys: KeySource;
  readonly signIn: string;
}

const check = Effect.fnUntraced(function* ({
  keys,
  signIn: given,
  url,
}: SqlStoreOptions): Effect.fn.Return<Checked, SqlStoreConfigInvalid> {
  const target = yield* Effect.fromResult(parseStoreUrl(url));
  const signIn = given ?? target.signIn ?? defaultSignIn;
  if (!signInName.test(signIn)) {
    const reason = "it has other characters, or more than 63";
    return yield* new SqlStoreConfigInvalid({ setting: "signIn", reason });
  }
  if (keys === undefined)
    return yield* new SqlStoreConfigInvalid({ setting: "keys", reason: "there are none" });
  return { target, keys, signIn };
});

/**
 * Opens the store of a sign-in until the scope closes. It connects at first use, so if the database is down, operations
 * fail with `StoreUnavailable`. Fails if URL, name or keys are not usable. `layer` makes a manager's storage of it.
 *
 * @example
 * ```ts
 * import { generateStoreKey, makeSqlStore } from "@agent-auth/login-sql";
 * import * as Effect from "effect/Effect";
 * import * as Redacted from "effect/Redacted";
 *
 * const keys = { _tag: "Text", keys: Redacted.make(generateStoreKey("k1")) } as const;
 * const program = Effect.gen(function* () {
 *   const { store } = yield* makeSqlStore({ url: "sqlite::memory:", keys });
 *   return yield* store.load;
 * });
 * await Effect.runPromise(Effect.scoped(program)); // Option.none()
 * ```
 */
export const makeSqlStore = Effect.fnUntraced(function* (
  options: SqlStoreOptions,
): Effect.fn.Return<SqlStore, SqlStoreConfigInvalid, Scope.Scope> {
  return yield* open(yield* check(options), options);
});

const open = Effect.fnUntraced(function* (
  { keys, signIn, target }: Checked,
  options: SqlStoreOptions,
): Effect.fn.Return<SqlStore, never, Scope.Scope> {
  const { interruptedRefresh = "refuse", leaseMs = 15_000, maxLockWaitMs = 60_000 } = options;
  const { migrate = true, pollMs = 1_000, statementTimeoutMs = 5_000 } = options;
  const place = placeOf(target, signIn);
  const database = yield* openDatabase(target, { migrate, statementTimeoutMs });
  const ring = makeKeyRing(keys);
  const rows = makeRows(database, signIn);
  const notify = target._tag === "Postgres" ? target.notify : "poll";
  const changes = yield* makeChanges({ database, rows, signIn, notify, pollMs });
  const { previous, reencrypt, store } = makeDocuments({ rows, ring, signIn, place });
  const lease = { rows, ring, signIn, place, changes, leaseMs, interruptedRefresh };
  const lock = yield* makeLease({ ...lease, maxWaitMs: maxLockWaitMs });
  return { store: { ...store, changes }, lock, place, previous, reencrypt };
});

/**
 * Checks the options and returns the storage of a manager: `AuthManager`'s `layer({ ...options, storage })`.
 *
 * @example
 * ```ts
 * import { openSqlStorage } from "@agent-auth/login-sql";
 * import * as Effect from "effect/Effect";
 *
 * const storage = openSqlStorage({
 *   url: "postgres://agents@db.example/agents",
 *   keys: { _tag: "File", path: "/run/secrets/store-keys" },
 * });
 * Effect.runSync(storage); // a layer; nothing was read or sent
 * ```
 */
export const openSqlStorage = (
  options: SqlStoreOptions,
): Effect.Effect<Layer.Layer<Storage>, SqlStoreConfigInvalid> =>
  Effect.map(check(options), (checked) =>
    Layer.unwrap(Effect.map(open(checked, options), customStorage)),
  );

/**
 * As `openSqlStorage`, with unusable options as the error of the layer.
 *
 * @example
 * ```ts
 * import { layer } from "@agent-auth/login-sql";
 * import { layer as authManager, type AuthManagerOptions } from "@agent-auth/login/manager";
 * import * as Layer from "effect/Layer";
 *
 * const keys = { _tag: "File", path: "/run/secrets/store-keys" } as const;
 * const storage = Layer.orDie(layer({ url: "postgres://agents@db.example/agents", keys }));
 * export const manager = (options: AuthManagerOptions) => authManager({ ...options, storage });
 * ```
 */
export const layer = (options: SqlStoreOptions): Layer.Layer<Storage, SqlStoreConfigInvalid> =>
  Layer.unwrap(openSqlStorage(options));

/**
 * A storage in the memory of this process, through the same code: SQLite without a file, and a random key.
 *
 * @example
 * ```ts
 * import { layerMemory } from "@agent-auth/login-sql";
 * import { CredentialStore } from "@agent-auth/login/storage";
 * import * as Effect from "effect/Effect";
 *
 * const load = CredentialStore.use((store) => store.load);
 * await Effect.runPromise(Effect.provide(load, layerMemory)); // Option.none()
 * ```
 */
export const layerMemory: Layer.Layer<Storage> = Layer.unwrap(
  Effect.suspend(() => {
    const keys = {
      _tag: "Text",
      keys: Redacted.make(generateStoreKey(randomBytes(4).toString("hex"))),
    } as const;
    return Effect.orDie(openSqlStorage({ url: "sqlite::memory:", keys }));
  }),
);

/**
 * Creates or updates the tables of a database. Needs a role that may create tables; several programs may do it at once.
 * The role of the programs themselves then needs `SELECT`, `INSERT` and `UPDATE` only.
 *
 * @example
 * ```ts
 * import { migrateSqlStore } from "@agent-auth/login-sql";
 * import * as Effect from "effect/Effect";
 *
 * await Effect.runPromise(migrateSqlStore("sqlite::memory:"));
 * ```
 */
export const migrateSqlStore = (
  url: string | Redacted.Redacted,
): Effect.Effect<void, SqlStoreConfigInvalid | SqlStoreMigrationFailed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const target = yield* Effect.fromResult(parseStoreUrl(url));
      const { where } = placeOf(target, defaultSignIn);
      const database = yield* openDatabase(target, { migrate: false, statementTimeoutMs: 5_000 });
      yield* Effect.mapError(
        database.migrate,
        ({ reason }) => new SqlStoreMigrationFailed({ where, reason }),
      );
    }),
  );
