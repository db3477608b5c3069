import * as Data from "effect/Data";

/** A stored private key cannot be read. Nothing of it is in the error. */
export class AgentKeyMalformed extends Data.TaggedError("AgentKeyMalformed")<{
  readonly problem:
    | "it is not base64"
    | "it is not a PKCS#8 structure"
    | "it is not an Ed25519 key"
    | "its public key belongs to another private key";
}> {
  readonly code = "AGENT_IDENTITY_KEY_MALFORMED";
  readonly hint = "Sign in again to get a new identity.";
  override get message() {
    return `stored agent identity private key is not valid PKCS#8: ${this.problem}`;
  }
}

/** A public key is not an Ed25519 key that is fit to verify with. */
export class AgentPublicKeyMalformed extends Data.TaggedError("AgentPublicKeyMalformed")<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_PUBLIC_KEY_MALFORMED";
  readonly hint = "Register the agent's Ed25519 public key, 32 bytes or in its SSH form.";
  override get message() {
    return `agent public key is not usable: ${this.problem}`;
  }
}

/** A sealed message was not sealed to this key, or was changed. */
export class SealedBoxUnopened extends Data.TaggedError("SealedBoxUnopened")<{
  readonly problem: "it is not base64" | "it is too short" | "it was not sealed to this key";
}> {
  readonly code = "AGENT_IDENTITY_SEALED_BOX_UNOPENED";
  readonly hint = "Seal the message to the public key of this agent.";
  override get message() {
    return `sealed message cannot be opened: ${this.problem}`;
  }
}

/** Why a key cannot be imported, or a sealed message not be opened. */
export type AgentKeyError = AgentKeyMalformed | AgentPublicKeyMalformed | SealedBoxUnopened;
