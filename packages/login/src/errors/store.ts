import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import type { CodexHomeUnusable } from "./config.ts";
import { place, quoteForShell } from "./place.ts";

// `where` is a path or words such as "OS keyring"; no field ever holds a stored value.

/** The stored document cannot be understood. It stays as it is. */
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
  readonly remedy: Remedy = "fixStore";
  readonly hint = "Correct or remove it, then sign in again.";
  override get message(): string {
    const key = this.path === "" ? "" : `${this.path}: `;
    return `${place(this.where, this.line, this.column)}: ${key}${this.reason}`;
  }
}

/** Something is stored, or may be, and cannot be read. That is not the same as "signed out". */
export class StoreUnreadable extends Data.TaggedError("StoreUnreadable")<{
  readonly where: string;
  readonly reason: string;
  /** The operating system's error code, such as `EACCES`, if there is one. */
  readonly systemCode?: string;
}> {
  readonly code = "LOGIN_STORE_UNREADABLE";
  readonly remedy: Remedy = "fixStore";
  readonly hint = "Make it readable for this user, or remove it and sign in again.";
  override get message(): string {
    return `cannot read credentials in ${this.where}: ${this.reason}`;
  }
}

/**
 * A credential could not be stored or removed. What was stored before is unchanged. One exception says so in its
 * `reason`: the new content was written, but the disk did not confirm that it is durable.
 */
export class StoreUnwritable extends Data.TaggedError("StoreUnwritable")<{
  readonly where: string;
  readonly operation: "save" | "remove";
  readonly reason: string;
  readonly systemCode?: string;
  /** A shell command that repairs it, if there is one. */
  readonly fix?: string;
}> {
  readonly code = "LOGIN_STORE_UNWRITABLE";
  readonly remedy: Remedy = "fixStore";
  get hint(): string {
    if (this.fix !== undefined) return `Run: ${this.fix}`;
    return `Make ${this.where} writable for this user, then retry.`;
  }
  override get message(): string {
    return `cannot ${this.operation} credentials in ${this.where}: ${this.reason}`;
  }
}

/**
 * The configuration selects Codex's encrypted store, and it holds a sign-in, which only Codex can read. Nothing was read
 * or changed.
 */
export class EncryptedStoreNotSupported extends Data.TaggedError("EncryptedStoreNotSupported")<{
  readonly path: string;
}> {
  readonly code = "LOGIN_ENCRYPTED_STORE_NOT_SUPPORTED";
  readonly remedy: Remedy = "fixConfig";
  readonly hint =
    "Use Codex, or remove secret_auth_storage from [features] in config.toml and sign in again.";
  override get message(): string {
    return `the sign-in is in Codex's encrypted store (${this.path}), which agent-auth cannot read`;
  }
}

/** The OS keyring cannot be used: no native package, no service, or a collection that stayed locked. */
export class KeyringUnavailable extends Data.TaggedError("KeyringUnavailable")<{
  readonly operation: "open" | "load" | "save" | "remove";
  readonly reason: string;
}> {
  readonly code = "LOGIN_KEYRING_UNAVAILABLE";
  readonly remedy: Remedy = "fixStore";
  readonly hint = 'Unlock or start the OS keyring, or set cli_auth_credentials_store to "file".';
  override get message(): string {
    return `OS keyring is not available (${this.operation}): ${this.reason}`;
  }
}

/** Another program has held a lock file of this CODEX_HOME for too long. */
export class HomeLockBusy extends Data.TaggedError("HomeLockBusy")<{
  readonly path: string;
  readonly waitedMs: number;
}> {
  readonly code = "LOGIN_HOME_LOCK_BUSY";
  readonly remedy: Remedy = "retry";
  get hint(): string {
    return `Find and end the program that holds it, then retry. Run: lsof ${quoteForShell(this.path)}`;
  }
  override get message(): string {
    return `${this.path} has been held by another program for ${Math.round(this.waitedMs / 1000)} s`;
  }
}

/** A lock of this CODEX_HOME cannot be used, so nothing that needs it was done. */
export class HomeLockFailed extends Data.TaggedError("HomeLockFailed")<{
  readonly path: string;
  readonly reason: string;
  readonly systemCode?: string;
  /** A shell command that repairs it, if there is one. */
  readonly fix?: string;
}> {
  readonly code = "LOGIN_HOME_LOCK_FAILED";
  readonly remedy: Remedy = "fixStore";
  get hint(): string {
    if (this.fix !== undefined) return `Run: ${this.fix}`;
    return this.systemCode === "ENOLCK"
      ? "Move CODEX_HOME to a file system with file locks; on NFS, start its lock service."
      : "Make CODEX_HOME writable for this user.";
  }
  override get message(): string {
    return `cannot lock ${this.path}: ${this.reason}`;
  }
}

/** The credential was removed, but a copy remains that this program does not remove. */
export class CredentialCopyRemains extends Data.TaggedError("CredentialCopyRemains")<{
  readonly where: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_CREDENTIAL_COPY_REMAINS";
  readonly remedy: Remedy = "fixStore";
  readonly hint = "Find and remove the copy.";
  override get message(): string {
    return `${this.where} was removed, but a copy remains: ${this.reason}`;
  }
}

export type HomeLockError = CodexHomeUnusable | HomeLockBusy | HomeLockFailed;

/** What a store may warn of although its operation succeeded. */
export type StoreWarning = StoreError | CredentialCopyRemains;

export type StoreError =
  | AuthJsonInvalid
  | StoreUnreadable
  | StoreUnwritable
  | EncryptedStoreNotSupported
  | KeyringUnavailable
  | HomeLockError;
