import * as Data from "effect/Data";
import type { CodexHomeUnusable } from "./config.ts";
import { place } from "./place.ts";

// `where` is a path or words like "OS keyring"; no field ever holds a stored value.

/** What a store holds is not a document that we understand. It is left as it is. */
export class AuthJsonInvalid extends Data.TaggedError("AuthJsonInvalid")<{
  readonly where: string;
  /** The key, dotted from the top (`tokens.id_token`); empty for the document itself. */
  readonly path: string;
  /** What is wrong, and what was expected; never the value. */
  readonly reason: string;
  /** Counted from 1. */
  readonly line?: number;
  /** Counted from 1, in UTF-16 units. */
  readonly column?: number;
}> {
  readonly code = "LOGIN_AUTH_JSON_INVALID";
  readonly hint = "Correct or remove it, then sign in again.";
  override get message(): string {
    const key = this.path === "" ? "" : `${this.path}: `;
    return `${place(this.where, this.line, this.column)}: ${key}${this.reason}`;
  }
}

/** Something is stored there, or may be, and it cannot be read. That is not the same as "signed out". */
export class StoreUnreadable extends Data.TaggedError("StoreUnreadable")<{
  readonly where: string;
  readonly reason: string;
  /** The system's name for it, such as `EACCES`, where there is one. */
  readonly systemCode?: string;
}> {
  readonly code = "LOGIN_STORE_UNREADABLE";
  readonly hint = "Make it readable to this user, or remove it and sign in again.";
  override get message(): string {
    return `cannot read credentials in ${this.where}: ${this.reason}`;
  }
}

/**
 * A credential could not be stored, or not be removed. What was stored before is still there, whole; the one exception
 * says so in its `reason`: the new content stands, and the disk would not confirm that it will stay.
 */
export class StoreUnwritable extends Data.TaggedError("StoreUnwritable")<{
  readonly where: string;
  readonly operation: "save" | "remove";
  readonly reason: string;
  readonly systemCode?: string;
}> {
  readonly code = "LOGIN_STORE_UNWRITABLE";
  readonly hint = "Mend the cause and try again.";
  override get message(): string {
    return `cannot ${this.operation} credentials in ${this.where}: ${this.reason}`;
  }
}

/** There is no OS keyring to talk to: no native package, no service, a locked collection nobody unlocked. */
export class KeyringUnavailable extends Data.TaggedError("KeyringUnavailable")<{
  readonly operation: "open" | "load" | "save" | "remove";
  readonly reason: string;
}> {
  readonly code = "LOGIN_KEYRING_UNAVAILABLE";
  readonly hint = 'Unlock or start the OS keyring, or set cli_auth_credentials_store to "file".';
  override get message(): string {
    return `OS keyring is not available (${this.operation}): ${this.reason}`;
  }
}

/** Another program has held the sign-in of this CODEX_HOME for too long. */
export class HomeLockBusy extends Data.TaggedError("HomeLockBusy")<{
  readonly path: string;
  readonly waitedMs: number;
}> {
  readonly code = "LOGIN_HOME_LOCK_BUSY";
  readonly hint = "Look for a hung program that uses the same CODEX_HOME, end it, and try again.";
  override get message(): string {
    return `${this.path} has been held by another program for ${Math.round(this.waitedMs / 1000)} s`;
  }
}

/** The lock of this CODEX_HOME cannot be taken at all, so nothing that needs it was done. */
export class HomeLockFailed extends Data.TaggedError("HomeLockFailed")<{
  readonly path: string;
  readonly reason: string;
  readonly systemCode?: string;
}> {
  readonly code = "LOGIN_HOME_LOCK_FAILED";
  readonly hint = "Mend the cause; CODEX_HOME has to be writable to this user.";
  override get message(): string {
    return `cannot lock ${this.path}: ${this.reason}`;
  }
}

export type HomeLockError = CodexHomeUnusable | HomeLockBusy | HomeLockFailed;

export type StoreError =
  | AuthJsonInvalid
  | StoreUnreadable
  | StoreUnwritable
  | KeyringUnavailable
  | HomeLockError;
