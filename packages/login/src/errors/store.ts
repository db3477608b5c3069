import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import type { CodexHomeUnusable } from "./config.ts";
import { place, quoteForShell } from "./place.ts";

// `where` is a path or words such as "OS keyring"; no field ever holds a stored value.

/** The stored document is not valid. It is left unchanged. */
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

/** The store cannot be read, although it holds or may hold a credential. That is not the same as "signed out". */
export class StoreUnreadable extends Data.TaggedError("StoreUnreadable")<{
  readonly where: string;
  readonly reason: string;
  /** The operating system's error code, such as `EACCES`, if there is one. */
  readonly systemCode?: string;
  /** The next step, as a sentence, if the store knows a better one. */
  readonly advice?: string;
}> {
  readonly code = "LOGIN_STORE_UNREADABLE";
  readonly remedy: Remedy = "fixStore";
  get hint(): string {
    return this.advice ?? "Make it readable for this user, or remove it and sign in again.";
  }
  override get message(): string {
    return `cannot read credentials in ${this.where}: ${this.reason}`;
  }
}

/**
 * A credential could not be stored or removed. What was stored before is unchanged, with one exception that `reason`
 * states: the file was replaced, but its folder could not be synced.
 */
export class StoreUnwritable extends Data.TaggedError("StoreUnwritable")<{
  readonly where: string;
  readonly operation: "save" | "remove";
  readonly reason: string;
  readonly systemCode?: string;
  /** A shell command that repairs it, if there is one. */
  readonly fix?: string;
  /** The next step, as a sentence, if the store knows a better one. */
  readonly advice?: string;
}> {
  readonly code = "LOGIN_STORE_UNWRITABLE";
  readonly remedy: Remedy = "fixStore";
  get hint(): string {
    if (this.advice !== undefined) return this.advice;
    if (this.fix !== undefined) return `Run: ${this.fix}`;
    return `Make ${this.where} writable for this user, then retry.`;
  }
  override get message(): string {
    return `cannot ${this.operation} credentials in ${this.where}: ${this.reason}`;
  }
}

/**
 * The configuration selects Codex's encrypted store, which holds a sign-in that only Codex can read. Nothing was read
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

/** A lock of this CODEX_HOME cannot be used. Nothing was done that requires the lock. */
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

/**
 * A remote store or lock does not respond. It is unknown whether it holds a credential. A credential that was loaded
 * before is used until it expires.
 */
export class StoreUnavailable extends Data.TaggedError("StoreUnavailable")<{
  /** Without passwords. */
  readonly where: string;
  readonly operation: "load" | "save" | "remove" | "check" | "lock";
  readonly reason: string;
  /** The next step, as a sentence, if the store knows a better one. */
  readonly advice?: string;
}> {
  readonly code = "LOGIN_STORE_UNAVAILABLE";
  readonly remedy: Remedy = "retry";
  get hint(): string {
    return this.advice ?? `Check that ${this.where} runs and can be reached, then retry.`;
  }
  override get message(): string {
    return `the credential store ${this.where} is not available (${this.operation}): ${this.reason}`;
  }
}

/** The configuration names a shared store, but the program does not open it. No other store is used instead. */
export class SharedStoreNotOpened extends Data.TaggedError("SharedStoreNotOpened")<{
  readonly setting: string;
}> {
  readonly code = "LOGIN_SHARED_STORE_NOT_OPENED";
  readonly remedy: Remedy = "fixConfig";
  get hint(): string {
    return `Pass the storage layer of @agent-auth/login-sql to the program, or set ${this.setting} = "none" for this program.`;
  }
  override get message(): string {
    return `${this.setting} names a shared store, which this program does not open`;
  }
}

/** Another program has changed the store since it was read. Nothing was changed by this one. */
export class StoreConflict extends Data.TaggedError("StoreConflict")<{
  readonly where: string;
  readonly operation: "save" | "remove";
}> {
  readonly code = "LOGIN_STORE_CONFLICT";
  readonly remedy: Remedy = "retry";
  readonly hint = "Retry; the next attempt starts by reading the new credential.";
  override get message(): string {
    return `cannot ${this.operation} credentials in ${this.where}: another program has changed them`;
  }
}

/** This program no longer holds the lease of the refresh: it was stopped for too long, or could not reach the lock. */
export class LeaseLost extends Data.TaggedError("LeaseLost")<{ readonly where: string }> {
  readonly code = "LOGIN_LEASE_LOST";
  readonly remedy: Remedy = "retry";
  readonly hint = "Retry: the program that holds the lease now refreshes the credential.";
  override get message(): string {
    return `the lease of the refresh in ${this.where} was lost`;
  }
}

/** Another program has held the lease of the refresh for too long. */
export class LeaseBusy extends Data.TaggedError("LeaseBusy")<{
  readonly where: string;
  readonly waitedMs: number;
}> {
  readonly code = "LOGIN_LEASE_BUSY";
  readonly remedy: Remedy = "retry";
  readonly hint = "Retry in a moment; the lease of a program that has ended expires by itself.";
  override get message(): string {
    const seconds = Math.round(this.waitedMs / 1000);
    return `the lease of the refresh in ${this.where} has been held by another program for ${seconds} s`;
  }
}

/**
 * The program that last refreshed the sign-in ended or was interrupted before it stored a response, and it may have
 * sent the refresh token. The token is not sent a second time, because the authority may revoke the sign-in for that.
 */
export class RefreshInterrupted extends Data.TaggedError("RefreshInterrupted")<{
  readonly where: string;
  /** Names the program that held the lease, such as a host and a process id. */
  readonly holder: string;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
}> {
  readonly code = "LOGIN_REFRESH_INTERRUPTED";
  readonly remedy: Remedy = "signIn";
  readonly hint =
    "If that program is still running, wait until it has stored the response; otherwise sign in again.";
  override get message(): string {
    return `a refresh by ${this.holder} did not finish, so the refresh token in ${this.where} may be spent`;
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

/** Why the lock of a refresh could not be taken. */
export type RefreshLockError = HomeLockError | StoreUnavailable | LeaseBusy | RefreshInterrupted;

export type HomeLockError = CodexHomeUnusable | HomeLockBusy | HomeLockFailed;

/** A warning that a store may report for an operation that succeeded. */
export type StoreWarning = StoreError | CredentialCopyRemains;

export type StoreError =
  | AuthJsonInvalid
  | StoreUnreadable
  | StoreUnwritable
  | EncryptedStoreNotSupported
  | KeyringUnavailable
  | StoreUnavailable
  | StoreConflict
  | SharedStoreNotOpened
  | LeaseLost
  | HomeLockError;
