import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import type * as Option from "effect/Option";
import type { AuthDocument } from "./auth-json/index.ts";
import type { CredentialSource } from "../credential/index.ts";
import type { StoreError } from "../errors/index.ts";

/** The values of `cli_auth_credentials_store`. */
export type CredentialsStoreMode = "file" | "keyring" | "auto" | "ephemeral";

/** Where a stored document lies. */
export type StoreSource = Extract<
  CredentialSource,
  { readonly _tag: "File" | "Keyring" | "Ephemeral" }
>;

export interface StoredDocument {
  readonly document: AuthDocument;
  /** Where it was found; of an `auto` store, the place that had it. */
  readonly source: StoreSource;
}

/** What a store is, for people and for `doctor`. */
export interface StoreDescription {
  readonly mode: CredentialsStoreMode;
  /** Every place it may read or write, the preferred one first. */
  readonly places: ReadonlyArray<StoreSource>;
  /** False where nothing outlives the process. */
  readonly isPersistent: boolean;
}

/**
 * Keeps one document. `None` means *absent*: nothing is stored there. Every error means *broken*: something is, or
 * may be, stored and could not be read or changed, so nobody should go on as if signed out.
 */
export class CredentialStore extends Context.Service<
  CredentialStore,
  {
    /** Reads what is stored now; nothing is cached. Takes no lock. */
    readonly load: Effect.Effect<Option.Option<StoredDocument>, StoreError>;
    /**
     * Replaces what is stored, whole or not at all, and durably; says where it went. Takes the home lock (a caller
     * that holds it already is let through).
     */
    readonly save: (document: AuthDocument) => Effect.Effect<StoreSource, StoreError>;
    /** Removes the credential from every place of this store, readable or not; false where there was none. */
    readonly remove: Effect.Effect<boolean, StoreError>;
    /**
     * Fails as `save` foreseeably would (read-only or hard-linked file, folder not writable) and changes nothing.
     * To be asked before something is spent whose result has to be stored, such as a refresh token.
     */
    readonly checkWritable: Effect.Effect<void, StoreError>;
    readonly describe: StoreDescription;
  }
>()("@agent-auth/login/storage") {}

/** For stores that can do their work and still have something to tell. */
export interface StoreWarningOptions {
  /** Told of each failure that was got round. Default: a warning in Effect's log. */
  readonly onWarning?: (error: StoreError) => Effect.Effect<void>;
}

export const logStoreWarning = (error: StoreError): Effect.Effect<void> =>
  Effect.logWarning(`${error.message} (${error.code})`);
