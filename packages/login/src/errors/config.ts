import * as Data from "effect/Data";
import { place } from "./place.ts";

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
