import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/** The URL of a store, or the text of its keys, is not usable. Nothing was read or sent. */
export class SqlStoreConfigInvalid extends Data.TaggedError("SqlStoreConfigInvalid")<{
  readonly setting: "url" | "keys" | "signIn";
  /** What is wrong; never the value of a password or a key. */
  readonly reason: string;
}> {
  readonly code = "LOGIN_SQL_CONFIG_INVALID";
  readonly remedy: Remedy = "fixConfig";
  get hint(): string {
    switch (this.setting) {
      case "url":
        return "Correct the URL, such as postgres://user@host/database or sqlite:/path/to/file.";
      case "keys":
        return "Give a file, a variable or a command that holds one key per line, as <id>:<base64 of 32 bytes>.";
      case "signIn":
        return "Use 1 to 63 letters, digits, dots, hyphens or underscores.";
    }
  }
  override get message(): string {
    const what = { url: "URL", keys: "key source", signIn: "signIn" }[this.setting];
    return `the ${what} of the store is not usable: ${this.reason}`;
  }
}

/** A migration of the tables failed. Nothing was changed. */
export class SqlStoreMigrationFailed extends Data.TaggedError("SqlStoreMigrationFailed")<{
  /** The database, without user and password. */
  readonly where: string;
  readonly reason: string;
}> {
  readonly code = "LOGIN_SQL_MIGRATION_FAILED";
  readonly remedy: Remedy = "fixStore";
  readonly hint = "Run migrateSqlStore once as a role that may create tables.";
  override get message(): string {
    return `cannot prepare the tables in ${this.where}: ${this.reason}`;
  }
}
