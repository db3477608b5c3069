import * as Data from "effect/Data";
import type { Remedy } from "./remedy.ts";

/** A private key cannot be read. The error contains no part of the key. */
export class AgentKeyMalformed extends Data.TaggedError("AgentKeyMalformed")<{
  readonly problem:
    | "it is not base64"
    | "it is not a PKCS#8 structure"
    | "it is not an Ed25519 key"
    | "its public key belongs to another private key";
}> {
  readonly code = "AGENT_IDENTITY_KEY_MALFORMED";
  readonly hint = "Sign in again to get a new agent identity.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    return `stored agent identity private key is not valid PKCS#8: ${this.problem}`;
  }
}

/** A public key is not an Ed25519 key that is safe to verify with. */
export class AgentPublicKeyMalformed extends Data.TaggedError("AgentPublicKeyMalformed")<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_PUBLIC_KEY_MALFORMED";
  readonly hint = "Pass the agent's Ed25519 public key as 32 bytes or in SSH format.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return `invalid agent public key: ${this.problem}`;
  }
}

/** A sealed message was not sealed to this key, or was changed. */
export class SealedBoxDecryptionFailed extends Data.TaggedError("SealedBoxDecryptionFailed")<{
  readonly problem: "it is not base64" | "it is too short" | "it was not sealed to this key";
}> {
  readonly code = "AGENT_IDENTITY_SEALED_BOX_DECRYPTION_FAILED";
  readonly hint = "Seal the message to the public key of this agent.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return `sealed message cannot be decrypted: ${this.problem}`;
  }
}

/** Why a key cannot be imported, or a sealed message cannot be decrypted. */
export type AgentKeyError = AgentKeyMalformed | AgentPublicKeyMalformed | SealedBoxDecryptionFailed;

/** A stored agent identity record has the wrong shape. Paths and types are reported, never values. */
export class StoredAgentIdentityInvalid extends Data.TaggedError("StoredAgentIdentityInvalid")<{
  /** Dotted path inside the record; empty for the record itself. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;
}> {
  readonly code = "AGENT_IDENTITY_STORED_RECORD_INVALID";
  readonly hint = "Sign in again to write a new record.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    const where = this.path === "" ? "" : ` ${this.path}`;
    return `stored agent identity${where} must be ${this.expected}, found ${this.found}`;
  }
}
