import * as Data from "effect/Data";

/** A stored agent identity has the wrong shape. Paths and kinds are told, never values. */
export class StoredAgentIdentityInvalid extends Data.TaggedError("StoredAgentIdentityInvalid")<{
  /** Dotted path inside the record; empty for the record itself. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;
}> {
  readonly code = "AGENT_IDENTITY_STORED_RECORD_INVALID";
  readonly hint = "Sign in again to write a new record.";
  override get message() {
    const where = this.path === "" ? "" : ` ${this.path}`;
    return `stored agent identity${where} must be ${this.expected}, found ${this.found}`;
  }
}
