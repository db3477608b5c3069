import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import type * as Option from "effect/Option";
import type * as Stream from "effect/Stream";
import type { AuthDocument } from "./auth-json/index.ts";
import type { CredentialSource } from "../credential/index.ts";
import type { StoreConflict, StoreError, StoreWarning } from "../errors/store.ts";
import type { HomeLockHeld } from "./lock/held.ts";

/** The values of `cli_auth_credentials_store`. */
export type CredentialsStoreMode = "file" | "keyring" | "auto" | "ephemeral";

/** Where a stored document is. */
export type StoreSource = Extract<
  CredentialSource,
  { readonly _tag: "File" | "Keyring" | "Ephemeral" | "Store" }
>;

export interface StoredDocument {
  readonly document: AuthDocument;
  /** Where it was found; for an `auto` store, the store that had it. */
  readonly source: StoreSource;
  /** Differs after each change of the content. Only the store knows what it means. */
  readonly version: string;
}

/** What a change depends on. */
export interface SaveOptions {
  /**
   * The version that must still be stored (`null`: nothing is stored); if it is not, the change fails with
   * `StoreConflict`. Absent: any version is replaced.
   */
  readonly expected?: string | null;
  /**
   * The token of the lease under which the document was made. A store that several hosts share refuses it (`LeaseLost`) if a
   * newer lease was handed out. Other stores ignore it: their locks cannot be lost.
   */
  readonly fencingToken?: number;
}

/** A description of a store, for people and for `doctor`. */
export interface StoreDescription {
  /** `custom`: a store that the program supplies. */
  readonly mode: CredentialsStoreMode | "custom";
  /** Every place it may read or write, the preferred one first. */
  readonly places: ReadonlyArray<StoreSource>;
  /** False if nothing outlives the process. */
  readonly isPersistent: boolean;
}

/** What an implementation of a store provides. `makeCredentialStore` makes a `CredentialStore` of it. */
export interface StoreImplementation {
  /**
   * Reads what is stored now; nothing is cached, and no lock is taken. `None`: nothing is stored. Every error means
   * that something is stored, or may be, and cannot be read.
   */
  readonly load: Effect.Effect<Option.Option<StoredDocument>, StoreError>;
  /** Replaces the stored document, atomically and durably, and returns where it was stored. */
  readonly save: (
    document: AuthDocument,
    options?: SaveOptions,
  ) => Effect.Effect<StoreSource, StoreError, HomeLockHeld>;
  /**
   * Removes the credential from every place of this store, readable or not; false if there was none. With `expected`,
   * fails with `StoreConflict` unless that version is stored.
   */
  readonly remove: (options?: {
    readonly expected?: string;
  }) => Effect.Effect<boolean, StoreError, HomeLockHeld>;
  /**
   * Fails if `save` would fail (a read-only file, a folder that cannot be written, a full disk, a lock beside the file
   * that another program holds) and changes nothing. Run it before something is spent whose result has to be stored,
   * such as a refresh token.
   */
  readonly checkWritable: Effect.Effect<void, StoreError>;
  /**
   * Emits an element whenever the content may have changed, and one whenever it starts to listen, since a change may
   * have come before. Never ends. Without it, a manager that follows the store reads it every few seconds.
   */
  readonly changes?: Stream.Stream<unknown>;
  readonly describe: StoreDescription;
}

/** What happened to refreshed tokens. */
export interface SavedTokens {
  /** Where they are now; where they were before, if they could not be saved. */
  readonly source: StoreSource;
  /** Why they could not be saved and are kept in memory. */
  readonly problem: Option.Option<StoreError>;
}

/**
 * Stores one `auth.json` document. Layers: `storage/configured` (the one that `config.toml` names), `storage/file`,
 * `storage/keyring`, `storage/auto`, `storage/ephemeral`; `makeCredentialStore` for your own. Everything that changes
 * the store requires `HomeLockHeld`, so it runs inside `HomeLock.withLock`. Two layers share only what is on disk or in
 * the keyring.
 *
 * Refreshed tokens are never lost while the layer lives: if saving them fails, although that was checked before the
 * refresh token was spent, they are kept in memory. `load` returns them instead of the spent ones until they are saved,
 * or until another program stores another sign-in.
 *
 * @example
 * ```ts
 * import { CredentialStore } from "@agent-auth/login/storage";
 * import { layer } from "@agent-auth/login/storage/configured";
 * import { HomeLock } from "@agent-auth/login/storage/lock";
 * import * as Effect from "effect/Effect";
 * import * as Redacted from "effect/Redacted";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const codexHome = { path: mkdtempSync(join(tmpdir(), "codex-home-")), explicit: true };
 * const program = Effect.gen(function* () {
 *   const store = yield* CredentialStore;
 *   const lock = yield* HomeLock;
 *   const document = { authMode: "apikey", openaiApiKey: Redacted.make("sk-example") } as const;
 *   return yield* lock.withLock(store.save(document));
 * });
 * await Effect.runPromise(Effect.provide(program, layer({ mode: "file", codexHome })));
 * ```
 */
export class CredentialStore extends Context.Service<
  CredentialStore,
  StoreImplementation & {
    /**
     * Saves tokens that replace those of `spent`, or keeps them in memory. A store that does not respond is tried again for
     * twenty seconds. Fails only if the store does not hold `spent` any more.
     */
    readonly saveRefreshed: (
      document: AuthDocument,
      spent: StoredDocument,
      options?: Pick<SaveOptions, "fencingToken">,
    ) => Effect.Effect<SavedTokens, StoreConflict, HomeLockHeld>;
    /** Keeps tokens that replace those of `spent` in memory: if not even the home lock can be taken. */
    readonly keepUnsaved: (document: AuthDocument, spent: StoredDocument) => Effect.Effect<void>;
    /** Tries again to save the tokens that are kept in memory, if there are any. */
    readonly savePending: Effect.Effect<void, StoreError, HomeLockHeld>;
    readonly hasPending: () => boolean;
  }
>()("@agent-auth/login/storage") {}

/** Options of stores that can succeed and still have something to report. */
export interface StoreWarningOptions {
  /** Called for each failure that the store worked around. Default: a warning in Effect's log. */
  readonly onWarning?: (warning: StoreWarning) => Effect.Effect<void>;
}

/**
 * Logs a warning of a store: message and code.
 *
 * @example
 * ```ts
 * import { logStoreWarning } from "@agent-auth/login/storage";
 * import { layer } from "@agent-auth/login/storage/auto";
 * import * as Effect from "effect/Effect";
 *
 * let warnings = 0;
 * const store = layer({
 *   codexHome: { path: "/home/ada/.codex", explicit: false },
 *   onWarning: (warning) => Effect.andThen(Effect.sync(() => warnings++), logStoreWarning(warning)),
 * });
 * ```
 */
export const logStoreWarning = (warning: StoreWarning): Effect.Effect<void> =>
  Effect.logWarning(`${warning.message} (${warning.code})`);
