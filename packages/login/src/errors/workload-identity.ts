import type { Remedy } from "@agent-auth/agent-identity/errors";
import { isTransientStatus } from "@agent-auth/agent-identity/http";
import * as Data from "effect/Data";

// The messages are those of Codex (docs/protocol.md §14) where Codex has the failure.

/** The variables or the configuration of a workload identity are incomplete or contradict each other. Nothing was sent. */
export class WorkloadIdentityInvalid extends Data.TaggedError("WorkloadIdentityInvalid")<{
  readonly text: string;
  /** The variable, or the dotted key of `config.toml`, to correct. */
  readonly setting: string;
}> {
  readonly code = "LOGIN_WORKLOAD_IDENTITY_INVALID";
  get remedy(): Remedy {
    return this.isVariable ? "fixEnvironment" : "fixConfig";
  }
  get hint(): string {
    return this.isVariable
      ? `Set ${this.setting}, or unset all variables of the workload identity.`
      : `Set or correct ${this.setting} in config.toml.`;
  }
  override get message(): string {
    return this.text;
  }
  private get isVariable(): boolean {
    return /^[A-Z_]+$/.test(this.setting);
  }
}

/** The platform gave this program no identity token. Nothing was sent to the token endpoint. */
export class IdentityTokenUnavailable extends Data.TaggedError("IdentityTokenUnavailable")<{
  /** The name of the source, such as `file` or `github-actions`. */
  readonly source: string;
  readonly text: string;
  readonly hint: string;
  readonly remedy: Remedy;
}> {
  readonly code = "LOGIN_IDENTITY_TOKEN_UNAVAILABLE";
  override get message(): string {
    return this.text;
  }
}

/** The token endpoint rejected the identity token, or is busy (429, 5xx). Its response body is never shown. */
export class WorkloadIdentityRejected extends Data.TaggedError("WorkloadIdentityRejected")<{
  readonly status: number;
  /** Where the token was sent to. */
  readonly origin: string;
  /** From `Retry-After`, in milliseconds. */
  readonly retryAfterMs?: number;
}> {
  readonly code = "LOGIN_WORKLOAD_IDENTITY_REJECTED";
  get remedy(): Remedy {
    return this.mayPass ? "retry" : "contactAdmin";
  }
  get hint(): string {
    return this.mayPass
      ? "Try again in a minute."
      : "Check that the federation rule or service account exists and accepts this program: issuer, subject and audience of its identity token.";
  }
  get mayPass(): boolean {
    return isTransientStatus(this.status);
  }
  override get message(): string {
    return `the workload identity token exchange was rejected with HTTP ${this.status}`;
  }
}

/** The token endpoint reported success, but its response cannot be used. */
export class WorkloadIdentityResponseInvalid extends Data.TaggedError(
  "WorkloadIdentityResponseInvalid",
)<{
  readonly origin: string;
  /** What is wrong with the response, without its values. */
  readonly reason: string;
}> {
  readonly code = "LOGIN_WORKLOAD_IDENTITY_RESPONSE_INVALID";
  readonly remedy: Remedy = "contactAdmin";
  get hint(): string {
    return `Report this to the operator of ${this.origin}: ${this.reason}.`;
  }
  override get message(): string {
    return "the workload identity token exchange returned an invalid response";
  }
}

/** The token endpoint did not send a complete response. */
export class WorkloadIdentityUnavailable extends Data.TaggedError("WorkloadIdentityUnavailable")<{
  readonly origin: string;
  readonly reason: string;
  readonly hint: string;
  readonly remedy: Remedy;
}> {
  readonly code = "LOGIN_WORKLOAD_IDENTITY_UNAVAILABLE";
  override get message(): string {
    return "the workload identity token exchange is unavailable";
  }
}

/** A later exchange returned a token of another user or account than the first one. It was not used. */
export class WorkloadIdentityChanged extends Data.TaggedError("WorkloadIdentityChanged")<{
  readonly origin: string;
}> {
  readonly code = "LOGIN_WORKLOAD_IDENTITY_CHANGED";
  readonly remedy: Remedy = "contactAdmin";
  readonly hint = "Restart this program if its identity was moved to another account on purpose.";
  override get message(): string {
    return "the workload identity token exchange returned a token of another account";
  }
}

export type WorkloadIdentityError =
  | WorkloadIdentityInvalid
  | IdentityTokenUnavailable
  | WorkloadIdentityRejected
  | WorkloadIdentityResponseInvalid
  | WorkloadIdentityUnavailable
  | WorkloadIdentityChanged;

/** Returns whether a later use of the credential can succeed. `WorkloadIdentityInvalid` is final: settings do not change. */
export const isExchangeError = (error: { readonly _tag: string }): boolean =>
  exchangeErrors.has(error._tag);

const exchangeErrors: ReadonlySet<string> = new Set<WorkloadIdentityError["_tag"]>([
  "IdentityTokenUnavailable",
  "WorkloadIdentityChanged",
  "WorkloadIdentityRejected",
  "WorkloadIdentityResponseInvalid",
  "WorkloadIdentityUnavailable",
]);
