import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import type { ModelProviderNotFound } from "./model-provider.ts";
import { place } from "./place.ts";

/**
 * CODEX_HOME cannot be used: it does not exist, is not a folder, may not be entered, or cannot be found at all. A folder
 * that `CODEX_HOME` names is never created.
 *
 * @example
 * ```ts
 * import { CodexHomeUnusable } from "@agent-auth/login/errors";
 *
 * const error = new CodexHomeUnusable({ path: "/srv/codex", reason: "that folder does not exist" });
 * console.log(error.message); // CODEX_HOME /srv/codex: that folder does not exist
 * ```
 */
export class CodexHomeUnusable extends Data.TaggedError("CodexHomeUnusable")<{
  /** Absent if there is no such folder, because the user's home folder cannot be found. */
  readonly path?: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_CODEX_HOME_UNUSABLE";
  readonly remedy: Remedy = "fixEnvironment";
  readonly hint = "Set CODEX_HOME to an existing folder that this user can read and write.";
  override get message(): string {
    return this.path === undefined
      ? `there is no folder for configuration and credentials: ${this.reason}`
      : `CODEX_HOME ${this.path}: ${this.reason}`;
  }
}

/**
 * A file of CODEX_HOME (`config.toml`, `.env`) or of an administrator exists and cannot be used. It is not ignored.
 *
 * @example
 * ```ts
 * import { ConfigUnreadable } from "@agent-auth/login/errors";
 *
 * const error = new ConfigUnreadable({ path: "/srv/codex/.env", reason: "permission denied" });
 * console.log(error.message); // cannot read /srv/codex/.env: permission denied
 * ```
 */
export class ConfigUnreadable extends Data.TaggedError("ConfigUnreadable")<{
  readonly path: string;
  readonly reason: string;
  /** Whether an administrator has to correct it: permissions or the owner of a system file. */
  readonly isSystemFile?: true;
}> {
  readonly code = "LOGIN_CONFIG_UNREADABLE";
  get remedy(): Remedy {
    return this.isSystemFile === true ? "contactAdmin" : "fixConfig";
  }
  get hint(): string {
    return this.isSystemFile === true
      ? "A system file has to belong to root, be readable by every user, and be writable by root only."
      : "Make the file readable, or move it away.";
  }
  override get message(): string {
    return `cannot ${this.isSystemFile === true ? "use" : "read"} ${this.path}: ${this.reason}`;
  }
}

/**
 * The rules of an administrator and `forced_login_method` together allow no way of signing in. The text is Codex's.
 *
 * @example
 * ```ts
 * import { NoLoginMethodAllowed } from "@agent-auth/login/errors";
 *
 * const error = new NoLoginMethodAllowed({ where: "/etc/codex/requirements.toml" });
 * console.log(error.message); // authentication requirements do not permit any usable login method
 * ```
 */
export class NoLoginMethodAllowed extends Data.TaggedError("NoLoginMethodAllowed")<{
  /** The file or policy with the rule. */
  readonly where: string;
}> {
  readonly code = "LOGIN_NO_LOGIN_METHOD_ALLOWED";
  readonly remedy: Remedy = "contactAdmin";
  get hint(): string {
    return `Check forced_login_method in config.toml against allowed_login_methods in ${this.where}.`;
  }
  override get message(): string {
    return "authentication requirements do not permit any usable login method";
  }
}

/** Where a part of the configuration comes from if not from a file. */
export const configVariable = "AGENT_AUTH_CONFIG";
export const sharedStoreVariable = "AGENT_AUTH_STORE";
export const commandLine = "-c";

const isVariable = (where: string) => where === configVariable || where === sharedStoreVariable;

/** Members of every error about a part of the configuration. */
interface Part {
  /** The file's path, `AGENT_AUTH_CONFIG`, `-c`, or the name of a workspace's policy. */
  readonly where: string;
  /** Whether an administrator wrote it: only an administrator can correct it. */
  readonly isSystemFile?: true;
}

const remedyFor = ({ isSystemFile, where }: Part): Remedy => {
  if (isSystemFile === true) return "contactAdmin";
  return isVariable(where) ? "fixEnvironment" : "fixConfig";
};

const askAdministrator = "Ask the administrator of this machine or workspace to correct it.";

const hintFor = ({ isSystemFile, where }: Part, otherwise: string): string => {
  if (isSystemFile === true) return askAdministrator;
  if (where === commandLine) return "Correct that override, or leave it out.";
  return isVariable(where) ? `Correct or unset ${where}.` : otherwise;
};

/**
 * A part of the configuration is not TOML. The text is not quoted: it may contain a secret.
 *
 * @example
 * ```ts
 * import { ConfigSyntaxError } from "@agent-auth/login/errors";
 *
 * const error = new ConfigSyntaxError({ where: "-c", reason: "expected key=value" });
 * console.log(error.message, error.remedy); // -c: expected key=value fixConfig
 * ```
 */
export class ConfigSyntaxError extends Data.TaggedError("ConfigSyntaxError")<
  Part & {
    readonly line?: number;
    readonly column?: number;
    readonly reason: string;
  }
> {
  readonly code = "LOGIN_CONFIG_SYNTAX";
  get remedy(): Remedy {
    return remedyFor(this);
  }
  get hint(): string {
    return hintFor(this, this.line === undefined ? "Correct the file." : "Correct that line.");
  }
  override get message(): string {
    return `${place(this.where, this.line, this.column)}: ${this.reason}`;
  }
}

/**
 * A key of the configuration is not supported, or has a value that it cannot have. The value is not quoted.
 *
 * @example
 * ```ts
 * import { ConfigKeyInvalid } from "@agent-auth/login/errors";
 *
 * const error = new ConfigKeyInvalid({
 *   where: "/srv/codex/config.toml",
 *   line: 3,
 *   key: "model_provider",
 *   problem: "model_provider must be a string",
 * });
 * console.log(error.message); // /srv/codex/config.toml:3: model_provider must be a string
 * ```
 */
export class ConfigKeyInvalid extends Data.TaggedError("ConfigKeyInvalid")<
  Part & {
    readonly line?: number;
    /** Dotted, as it is written after `-c`. */
    readonly key: string;
    /** A clause that names the key. */
    readonly problem: string;
  }
> {
  readonly code = "LOGIN_CONFIG_KEY_INVALID";
  get remedy(): Remedy {
    return remedyFor(this);
  }
  get hint(): string {
    return hintFor(this, "Correct that line, or remove it.");
  }
  override get message(): string {
    return `${place(this.where, this.line)}: ${this.problem}`;
  }
}

export type ConfigError =
  | CodexHomeUnusable
  | ConfigUnreadable
  | ConfigSyntaxError
  | ConfigKeyInvalid
  | ModelProviderNotFound
  | NoLoginMethodAllowed;
