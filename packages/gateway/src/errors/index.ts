import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/** The stores that a gateway uses. */
export type StoreName = "registry" | "replay" | "users" | "signing keys";

/**
 * A store failed or could not be reached, so the request was neither accepted nor rejected. Middleware responds with
 * 503, never 401, because the credential may be valid.
 */
export class StoreUnavailable extends Data.TaggedError("StoreUnavailable")<{
  readonly store: StoreName;
  /** What failed, without values: the operation and the kind of the error. */
  readonly problem: string;
}> {
  readonly code = "GATEWAY_STORE_UNAVAILABLE";
  readonly hint = "Check that the database or service is running and reachable, then try again.";
  readonly remedy: Remedy = "retry";
  override get message() {
    return `the ${this.store} store is unavailable: ${this.problem}`;
  }
}

/** An agent with this id is already registered, or was registered and has been revoked. */
export class AgentIdTaken extends Data.TaggedError("AgentIdTaken")<{
  readonly agentRuntimeId: string;
}> {
  readonly code = "GATEWAY_AGENT_ID_TAKEN";
  readonly hint = "Leave the id out to get a new one.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return `agent ${JSON.stringify(this.agentRuntimeId.slice(0, 100))} is registered already`;
  }
}

/** A signing key cannot be used: it is not RSA, too short, or its file cannot be read. */
export class SigningKeyInvalid extends Data.TaggedError("SigningKeyInvalid")<{
  /** File or command. */
  readonly source: string;
  readonly problem: string;
}> {
  readonly code = "GATEWAY_SIGNING_KEY_INVALID";
  readonly hint = "Provide an RSA private key of at least 2048 bits as PKCS#8 PEM.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    return `signing key ${this.source} cannot be used: ${this.problem}`;
  }
}

/** The command that signs for the issuer failed, or returned a signature that its public key does not verify. */
export class SigningCommandFailed extends Data.TaggedError("SigningCommandFailed")<{
  readonly command: string;
  readonly problem: string;
}> {
  readonly code = "GATEWAY_SIGNING_COMMAND_FAILED";
  readonly hint =
    "Run the command by hand with text on its stdin: it must print the base64 of an RS256 signature.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    return `signing command ${this.command} failed: ${this.problem}`;
  }
}

/** The gateway was used after its `close()`. */
export class GatewayClosed extends Data.TaggedError("GatewayClosed") {
  readonly code = "GATEWAY_CLOSED";
  readonly hint = "Create a new gateway, and close it only after its last call.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return "this gateway is closed";
  }
}

/**
 * Why a request is rejected. The value is sent in `WWW-Authenticate` and in the body, and is a label of the metrics.
 */
export type RejectionReason =
  | "missing_authorization"
  | "malformed_authorization"
  | "unknown_scheme"
  | "malformed_assertion"
  | "unknown_agent"
  | "agent_revoked"
  | "wrong_agent"
  | "unknown_task"
  | "stale_timestamp"
  | "bad_signature"
  | "replayed_assertion"
  | "missing_account_id"
  | "wrong_account_id"
  | "missing_fedramp"
  | "invalid_token"
  | "token_expired"
  | "not_allowed"
  | "replay_space_full"
  | "rate_limited"
  | "too_many_failures"
  | "store_unavailable";

const remedies: Partial<Record<RejectionReason, Remedy>> = {
  unknown_agent: "signIn",
  agent_revoked: "signIn",
  token_expired: "signIn",
  not_allowed: "contactAdmin",
  unknown_task: "retry",
  stale_timestamp: "retry",
  replayed_assertion: "retry",
  replay_space_full: "retry",
  rate_limited: "retry",
  too_many_failures: "retry",
  store_unavailable: "retry",
};

const statuses: Partial<Record<RejectionReason, 403 | 429 | 503>> = {
  not_allowed: 403,
  replay_space_full: 429,
  rate_limited: 429,
  too_many_failures: 429,
  store_unavailable: 503,
};

/**
 * A request was rejected, or cannot be authenticated at the moment. `reason` is a stable identifier. The error contains
 * no secrets.
 */
export class RequestRejected extends Data.TaggedError("RequestRejected")<{
  readonly reason: RejectionReason;
  readonly message: string;
  /** When a retry may succeed; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
}> {
  readonly code = "GATEWAY_REQUEST_REJECTED";
  /** 401, 403, 429, or 503 if a store is unavailable. */
  get status(): 401 | 403 | 429 | 503 {
    return statuses[this.reason] ?? 401;
  }
  get remedy(): Remedy {
    return remedies[this.reason] ?? "fixInput";
  }
  get hint(): string {
    return this.status >= 429
      ? "Wait for the time in Retry-After, then send the request again."
      : "Correct the part of the credential that the reason names, then send the request again.";
  }
}

/** Every error of this package. */
export type GatewayError =
  | StoreUnavailable
  | AgentIdTaken
  | SigningKeyInvalid
  | SigningCommandFailed
  | GatewayClosed
  | RequestRejected;

/** The code of every error of this package. */
export type GatewayErrorCode = GatewayError["code"];
