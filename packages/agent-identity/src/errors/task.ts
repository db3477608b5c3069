import * as Data from "effect/Data";
import { isSuccessStatus, isTransientStatus } from "../http/status.ts";
import type { HttpTransportError } from "./http.ts";
import type { Remedy } from "./remedy.ts";
import type { BaseUrlError, PathSegmentInvalid } from "./urls.ts";

interface ErrorResponse {
  readonly status: number;
  readonly statusText: string;
  /** At most 512 characters of the body, on one line. */
  readonly body: string;
}

const statusOf = ({ status, statusText }: ErrorResponse): string =>
  statusText === "" ? String(status) : `${status} ${statusText}`;

/** Whether a response blames the timestamp: a new sign-in would be rejected for the same reason. */
const isAboutTheClock = (body: string): boolean => /timestamp|clock/iu.test(body);

/** The task API responded with an error status; a transient one was retried first. */
export class TaskRegistrationRejected extends Data.TaggedError("TaskRegistrationRejected")<
  ErrorResponse & {
    readonly attempts: number;
    /** The wait that `Retry-After` of the last response asked for, in milliseconds. */
    readonly retryAfterMs?: number;
  }
> {
  readonly code = "AGENT_IDENTITY_TASK_REGISTRATION_REJECTED";
  get hint() {
    if (isTransientStatus(this.status)) return "Try again later.";
    return isAboutTheClock(this.body)
      ? "Set the clock of this machine, then try again."
      : "Sign in again with a valid agent identity.";
  }
  get remedy(): Remedy {
    return isTransientStatus(this.status) || isAboutTheClock(this.body) ? "retry" : "signIn";
  }
  override get message() {
    return `agent task registration failed with status ${statusOf(this)}: ${this.body}`;
  }
}

/** The task API did not respond. */
export class TaskRegistrationRequestFailed extends Data.TaggedError(
  "TaskRegistrationRequestFailed",
)<{
  readonly failure: HttpTransportError;
  readonly attempts: number;
}> {
  readonly code = "AGENT_IDENTITY_TASK_REGISTRATION_REQUEST_FAILED";
  get hint() {
    return this.failure.hint;
  }
  get remedy(): Remedy {
    return this.failure.remedy;
  }
  override get message() {
    return `failed to request agent task registration: ${this.failure.message}`;
  }
}

/** The task API's response is not JSON, or an id in it has the wrong shape. */
export class TaskRegistrationResponseMalformed extends Data.TaggedError(
  "TaskRegistrationResponseMalformed",
)<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_TASK_REGISTRATION_RESPONSE_MALFORMED";
  readonly hint = "Check that the configured task API is the right service.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    return `failed to decode agent task registration response: ${this.problem}`;
  }
}

/** The response has no task id under any of its four names, or an empty one. */
export class TaskIdMissing extends Data.TaggedError("TaskIdMissing") {
  readonly code = "AGENT_IDENTITY_TASK_ID_MISSING";
  readonly hint = "Check that the configured task API is the right service.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    return "agent task registration response omitted task id";
  }
}

/** The encrypted task id cannot be decrypted with the agent's key. */
export class TaskIdDecryptionFailed extends Data.TaggedError("TaskIdDecryptionFailed")<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_TASK_ID_DECRYPTION_FAILED";
  readonly hint = "Sign in again; the agent was registered with another key.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    return `failed to decrypt encrypted task id: ${this.problem}`;
  }
}

/** A ChatGPT access token is required, and there is none. */
export class AccessTokenUnavailable extends Data.TaggedError("AccessTokenUnavailable") {
  readonly code = "AGENT_IDENTITY_ACCESS_TOKEN_UNAVAILABLE";
  readonly hint = "Sign in with ChatGPT first.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    return "ChatGPT access token is unavailable";
  }
}

/** The biscuit request got an error status, or a response without the biscuit header. */
export class BiscuitRejected extends Data.TaggedError("BiscuitRejected")<ErrorResponse> {
  readonly code = "AGENT_IDENTITY_BISCUIT_REJECTED";
  get hint() {
    return isTransientStatus(this.status) ? "Try again later." : "Sign in again.";
  }
  get remedy(): Remedy {
    return isTransientStatus(this.status) ? "retry" : "signIn";
  }
  override get message() {
    return isSuccessStatus(this.status)
      ? `agent biscuit response omitted x-openai-authorization (status ${statusOf(this)})`
      : `agent biscuit request failed with status ${statusOf(this)}: ${this.body}`;
  }
}

/** The API that mints biscuits did not respond. */
export class BiscuitRequestFailed extends Data.TaggedError("BiscuitRequestFailed")<{
  readonly failure: HttpTransportError;
}> {
  readonly code = "AGENT_IDENTITY_BISCUIT_REQUEST_FAILED";
  get hint() {
    return this.failure.hint;
  }
  get remedy(): Remedy {
    return this.failure.remedy;
  }
  override get message() {
    return `failed to request agent biscuit: ${this.failure.message}`;
  }
}

/** The agent registration API responded with an error status. */
export class AgentRegistrationRejected extends Data.TaggedError(
  "AgentRegistrationRejected",
)<ErrorResponse> {
  readonly code = "AGENT_IDENTITY_AGENT_REGISTRATION_REJECTED";
  get hint() {
    if (isTransientStatus(this.status)) return "Try again later.";
    return this.status === 401
      ? "Sign in again."
      : "Check that agent identities are enabled for this account.";
  }
  get remedy(): Remedy {
    if (isTransientStatus(this.status)) return "retry";
    return this.status === 401 ? "signIn" : "contactAdmin";
  }
  override get message() {
    return `agent registration failed with status ${statusOf(this)}: ${this.body}`;
  }
}

/** The agent registration API did not respond. */
export class AgentRegistrationRequestFailed extends Data.TaggedError(
  "AgentRegistrationRequestFailed",
)<{
  readonly failure: HttpTransportError;
}> {
  readonly code = "AGENT_IDENTITY_AGENT_REGISTRATION_REQUEST_FAILED";
  get hint() {
    return this.failure.hint;
  }
  get remedy(): Remedy {
    return this.failure.remedy;
  }
  override get message() {
    return `failed to request agent registration: ${this.failure.message}`;
  }
}

/** The agent registration response is not JSON, or has no valid agent runtime id. */
export class AgentRegistrationResponseMalformed extends Data.TaggedError(
  "AgentRegistrationResponseMalformed",
)<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_AGENT_REGISTRATION_RESPONSE_MALFORMED";
  readonly hint = "Check that the configured API is the right service.";
  readonly remedy: Remedy = "fixConfig";
  override get message() {
    return `failed to decode agent registration response: ${this.problem}`;
  }
}

/** Why no biscuit could be minted. */
export type BiscuitError =
  | AccessTokenUnavailable
  | BiscuitRejected
  | BiscuitRequestFailed
  | BaseUrlError;

/** Why no task could be registered. */
export type AgentTaskError =
  | TaskRegistrationRejected
  | TaskRegistrationRequestFailed
  | TaskRegistrationResponseMalformed
  | TaskIdMissing
  | TaskIdDecryptionFailed
  | PathSegmentInvalid
  | BiscuitError;

/** Why an agent was not registered, or may not have been. */
export type AgentRegistrationError =
  | AgentRegistrationRejected
  | AgentRegistrationRequestFailed
  | AgentRegistrationResponseMalformed
  | BiscuitError;
