import * as Data from "effect/Data";

// Errors of the environment, the configuration, the stores, the home lock and the HTTP client. `errors.ts`
// re-exports them. `where` is a path or words like "OS keyring"; no field ever holds a stored value.

const place = (where: string, line?: number, column?: number): string => {
  if (line === undefined) return where;
  return column === undefined ? `${where}:${line}` : `${where}:${line}:${column}`;
};

// --- Environment and configuration -----------------------------------------------------------------------------

/** `CODEX_HOME`, or the default folder, is no usable folder. One that is named by hand is never created. */
export class CodexHomeUnusable extends Data.TaggedError("CodexHomeUnusable")<{
  readonly path: string;
  /** What is wrong with it, in plain words. */
  readonly reason: string;
}> {
  readonly code = "LOGIN_CODEX_HOME_UNUSABLE";
  readonly hint = "Create that folder, or correct or unset CODEX_HOME.";
  override get message(): string {
    return `CODEX_HOME ${this.path}: ${this.reason}`;
  }
}

/** `config.toml` exists and cannot be read. It is not ignored. */
export class ConfigUnreadable extends Data.TaggedError("ConfigUnreadable")<{
  readonly path: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_CONFIG_UNREADABLE";
  readonly hint = "Make the file readable, or move it away.";
  override get message(): string {
    return `cannot read ${this.path}: ${this.reason}`;
  }
}

const commandLine = "-c";
const correctOverride = "Correct that override, or leave it out.";

/** `config.toml`, or an override, is not TOML. */
export class ConfigSyntaxError extends Data.TaggedError("ConfigSyntaxError")<{
  /** The file's path; `-c` for an override. */
  readonly where: string;
  readonly line?: number;
  readonly column?: number;
  readonly reason: string;
}> {
  readonly code = "LOGIN_CONFIG_SYNTAX";
  get hint(): string {
    if (this.where === commandLine) return correctOverride;
    return this.line === undefined ? "Correct the file." : "Correct that line.";
  }
  override get message(): string {
    return `${place(this.where, this.line, this.column)}: ${this.reason}`;
  }
}

/** A key of the configuration has a value that it cannot have. The value itself is not repeated. */
export class ConfigKeyInvalid extends Data.TaggedError("ConfigKeyInvalid")<{
  /** The file's path; `-c` for an override. */
  readonly where: string;
  readonly line?: number;
  /** Dotted, as one would write it after `-c`. */
  readonly key: string;
  /** What would be right, in plain words. */
  readonly expected: string;
}> {
  readonly code = "LOGIN_CONFIG_KEY_INVALID";
  get hint(): string {
    return this.where === commandLine ? correctOverride : "Correct that line, or remove it.";
  }
  override get message(): string {
    return `${place(this.where, this.line)}: ${this.key} must be ${this.expected}`;
  }
}

export type ConfigError =
  | CodexHomeUnusable
  | ConfigUnreadable
  | ConfigSyntaxError
  | ConfigKeyInvalid;

// --- Stores ----------------------------------------------------------------------------------------------------

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
  readonly deed: "save" | "remove";
  readonly reason: string;
  readonly systemCode?: string;
}> {
  readonly code = "LOGIN_STORE_UNWRITABLE";
  readonly hint = "Mend the cause and try again.";
  override get message(): string {
    return `cannot ${this.deed} credentials in ${this.where}: ${this.reason}`;
  }
}

/** There is no OS keyring to talk to: no native package, no service, a locked collection nobody unlocked. */
export class KeyringUnavailable extends Data.TaggedError("KeyringUnavailable")<{
  readonly deed: "open" | "load" | "save" | "remove";
  readonly reason: string;
}> {
  readonly code = "LOGIN_KEYRING_UNAVAILABLE";
  readonly hint = 'Unlock or start the OS keyring, or set cli_auth_credentials_store to "file".';
  override get message(): string {
    return `OS keyring is not available (${this.deed}): ${this.reason}`;
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

// --- HTTP client -----------------------------------------------------------------------------------------------

/** The file of extra root certificates that a variable names cannot be used, so no request is sent. */
export class CaBundleUnusable extends Data.TaggedError("CaBundleUnusable")<{
  readonly variable: string;
  readonly path: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_CA_BUNDLE_UNUSABLE";
  get hint(): string {
    return `Point ${this.variable} to a readable PEM file with certificates, or unset it.`;
  }
  override get message(): string {
    return `${this.variable}: cannot use ${this.path}: ${this.reason}`;
  }
}

/** A proxy variable holds no usable URL, so no request is sent. The value is not repeated: it may hold a password. */
export class ProxyUnusable extends Data.TaggedError("ProxyUnusable")<{
  readonly variable: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_PROXY_UNUSABLE";
  get hint(): string {
    return `Correct or unset ${this.variable}.`;
  }
  override get message(): string {
    return `${this.variable}: ${this.reason}`;
  }
}

export type HttpClientError = CaBundleUnusable | ProxyUnusable;
