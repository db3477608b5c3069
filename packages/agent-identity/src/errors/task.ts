import * as Data from "effect/Data";
import type { HttpTransportError } from "./http.ts";
import type { PathSegmentInvalid, BaseUrlError } from "./urls.ts";

/** The task API answered with an error status; a passing one was tried again first. */
export class TaskRegistrationRefused extends Data.TaggedError("TaskRegistrationRefused")<{
  readonly status: number;
  readonly statusText: string;
  /** At most 512 characters of the answer, on one line. */
  readonly body: string;
  readonly attempts: number;
  /** What `Retry-After` of the last answer asked for. */
  readonly retryAfterMs?: number;
}> {
  readonly code = "AGENT_IDENTITY_TASK_REGISTRATION_REFUSED";
  get hint() {
    if (this.status === 429 || this.status >= 500) return "Try again later.";
    // A registration is refused for its time by name; a new sign-in would be refused the same way.
    if (/timestamp|clock/iu.test(this.body)) return "Set this machine's clock, then try again.";
    return "Sign in again with a valid agent identity.";
  }
  override get message() {
    const status = [this.status, this.statusText].filter((part) => part !== "").join(" ");
    return `agent task registration failed with status ${status}: ${this.body}`;
  }
}

/** The task API could not be reached. */
export class TaskRegistrationUnreachable extends Data.TaggedError("TaskRegistrationUnreachable")<{
  readonly failure: HttpTransportError;
  readonly attempts: number;
}> {
  readonly code = "AGENT_IDENTITY_TASK_REGISTRATION_UNREACHABLE";
  get hint() {
    return this.failure.hint;
  }
  override get message() {
    return `failed to request agent task registration: ${this.failure.message}`;
  }
}

/** The task API's answer is not JSON, or an id in it has the wrong shape. */
export class TaskAnswerMalformed extends Data.TaggedError("TaskAnswerMalformed")<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_TASK_ANSWER_MALFORMED";
  readonly hint = "Check that the configured task API is the right service.";
  override get message() {
    return `failed to decode agent task registration response: ${this.problem}`;
  }
}

/** The answer holds no task id under any of its four names, or an empty one. */
export class TaskIdMissing extends Data.TaggedError("TaskIdMissing") {
  readonly code = "AGENT_IDENTITY_TASK_ID_MISSING";
  readonly hint = "Check that the configured task API is the right service.";
  override get message() {
    return "agent task registration response omitted task id";
  }
}

/** The sealed task id was not sealed to the agent's key. */
export class TaskIdUndecryptable extends Data.TaggedError("TaskIdUndecryptable")<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_TASK_ID_UNDECRYPTABLE";
  readonly hint = "Sign in again; the agent was registered with another key.";
  override get message() {
    return `failed to decrypt encrypted task id: ${this.problem}`;
  }
}

/** A biscuit was asked for, and the user has no access token to ask with. */
export class AccessTokenUnavailable extends Data.TaggedError("AccessTokenUnavailable") {
  readonly code = "AGENT_IDENTITY_ACCESS_TOKEN_UNAVAILABLE";
  readonly hint = "Sign in with ChatGPT first.";
  override get message() {
    return "ChatGPT access token is unavailable";
  }
}

/** No biscuit came back: an error status, or an answer without its header. */
export class BiscuitRefused extends Data.TaggedError("BiscuitRefused")<{
  readonly status: number;
  readonly statusText: string;
  readonly body: string;
}> {
  readonly code = "AGENT_IDENTITY_BISCUIT_REFUSED";
  readonly hint = "Sign in again.";
  override get message() {
    const status = [this.status, this.statusText].filter((part) => part !== "").join(" ");
    return this.status >= 200 && this.status < 300
      ? `agent biscuit response omitted x-openai-authorization (status ${status})`
      : `agent biscuit request failed with status ${status}: ${this.body}`;
  }
}

/** The API that mints biscuits could not be reached. */
export class BiscuitUnreachable extends Data.TaggedError("BiscuitUnreachable")<{
  readonly failure: HttpTransportError;
}> {
  readonly code = "AGENT_IDENTITY_BISCUIT_UNREACHABLE";
  get hint() {
    return this.failure.hint;
  }
  override get message() {
    return `failed to request agent biscuit: ${this.failure.message}`;
  }
}

/** The API refused to register an agent. */
export class AgentRegistrationRefused extends Data.TaggedError("AgentRegistrationRefused")<{
  readonly status: number;
  readonly statusText: string;
  readonly body: string;
}> {
  readonly code = "AGENT_IDENTITY_AGENT_REGISTRATION_REFUSED";
  readonly hint = "Check that agent identities are enabled for this account.";
  override get message() {
    const status = [this.status, this.statusText].filter((part) => part !== "").join(" ");
    return `agent registration failed with status ${status}: ${this.body}`;
  }
}

/** The API that registers agents could not be reached. */
export class AgentRegistrationUnreachable extends Data.TaggedError("AgentRegistrationUnreachable")<{
  readonly failure: HttpTransportError;
}> {
  readonly code = "AGENT_IDENTITY_AGENT_REGISTRATION_UNREACHABLE";
  get hint() {
    return this.failure.hint;
  }
  override get message() {
    return `failed to request agent registration: ${this.failure.message}`;
  }
}

/** The answer to an agent's registration is not JSON, or names no runtime. */
export class AgentRegistrationMalformed extends Data.TaggedError("AgentRegistrationMalformed")<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_AGENT_REGISTRATION_MALFORMED";
  readonly hint = "Check that the configured API is the right service.";
  override get message() {
    return `failed to decode agent registration response: ${this.problem}`;
  }
}

/** Why there is no biscuit. */
export type BiscuitError =
  | AccessTokenUnavailable
  | BiscuitRefused
  | BiscuitUnreachable
  | BaseUrlError;

/** Why there is no task. */
export type AgentTaskError =
  | TaskRegistrationRefused
  | TaskRegistrationUnreachable
  | TaskAnswerMalformed
  | TaskIdMissing
  | TaskIdUndecryptable
  | PathSegmentInvalid
  | BiscuitError;

/** Why an agent is not registered, or its registration not known to have worked. */
export type AgentRegistrationError =
  | AgentRegistrationRefused
  | AgentRegistrationUnreachable
  | AgentRegistrationMalformed
  | BiscuitError;
