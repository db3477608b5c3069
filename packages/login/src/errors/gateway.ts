import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/** There is no sign-in to the gateway, or it has ended: only a new one helps. Nothing was sent to the gateway. */
export class GatewaySignInRequired extends Data.TaggedError("GatewaySignInRequired")<{
  readonly providerId: string;
}> {
  readonly code = "LOGIN_GATEWAY_SIGN_IN_REQUIRED";
  readonly remedy: Remedy = "signIn";
  get hint(): string {
    return `Sign in to the gateway of model provider ${this.providerId}.`;
  }
  override get message(): string {
    return `not signed in to the gateway of model provider ${this.providerId}`;
  }
}

/** The authorization server of the gateway could not be reached, or its response cannot be used. */
export class GatewayAuthFailed extends Data.TaggedError("GatewayAuthFailed")<{
  readonly providerId: string;
  /** What was attempted. */
  readonly step: "sign-in" | "refresh";
  /** Contains no text of the server except its error code. */
  readonly reason: string;
  readonly hint: string;
  readonly remedy: Remedy;
}> {
  readonly code = "LOGIN_GATEWAY_AUTH_FAILED";
  override get message(): string {
    return `gateway ${this.step} failed for model provider ${this.providerId}: ${this.reason}`;
  }
}

/** The store of gateway sign-ins cannot be read or written. */
export class GatewayStoreUnusable extends Data.TaggedError("GatewayStoreUnusable")<{
  readonly path: string;
  readonly reason: string;
  readonly hint: string;
}> {
  readonly code = "LOGIN_GATEWAY_STORE_UNUSABLE";
  readonly remedy: Remedy = "fixStore";
  override get message(): string {
    return `cannot use the gateway credentials in ${this.path}: ${this.reason}`;
  }
}

/** Another program is signing in to the same gateway. The text is Codex's. */
export class GatewaySignInInProgress extends Data.TaggedError("GatewaySignInInProgress")<{
  /** The lock that the other program holds. */
  readonly lockPath: string;
}> {
  readonly code = "LOGIN_GATEWAY_SIGN_IN_IN_PROGRESS";
  readonly remedy: Remedy = "retry";
  readonly hint = "Finish or cancel the other sign-in, then retry.";
  override get message(): string {
    return "Another sign-in for this credential is in progress. Finish or cancel it, then retry.";
  }
}

export type GatewayError =
  | GatewaySignInRequired
  | GatewaySignInInProgress
  | GatewayAuthFailed
  | GatewayStoreUnusable;
