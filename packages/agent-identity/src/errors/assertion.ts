import * as Data from "effect/Data";
import { toSingleLine } from "../encoding/text.ts";
import type { Remedy } from "./remedy.ts";

/** The header is not an `AgentAssertion` header, or its envelope has the wrong shape. */
export class AssertionMalformed extends Data.TaggedError("AssertionMalformed")<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_MALFORMED";
  readonly hint = "Send `AgentAssertion`, a space, and the base64url envelope.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return `agent assertion is malformed: ${this.problem}`;
  }
}

/** No public key is registered for the agent runtime. */
export class AssertionAgentUnknown extends Data.TaggedError("AssertionAgentUnknown")<{
  readonly agentRuntimeId: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_AGENT_UNKNOWN";
  readonly hint = "Register the agent first.";
  readonly remedy: Remedy = "signIn";
  override get message() {
    return `agent ${toSingleLine(this.agentRuntimeId, 100)} is unknown`;
  }
}

/** The assertion was made by another agent runtime than expected. */
export class AssertionAgentMismatch extends Data.TaggedError("AssertionAgentMismatch")<{
  readonly expected: string;
  readonly found: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_AGENT_MISMATCH";
  readonly hint = "Send an assertion of the expected agent.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return `agent mismatch: expected ${toSingleLine(this.expected, 100)}, found ${toSingleLine(this.found, 100)}`;
  }
}

/** The task was not registered for this agent runtime. */
export class AssertionTaskMismatch extends Data.TaggedError("AssertionTaskMismatch")<{
  readonly agentRuntimeId: string;
  readonly taskId: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_TASK_MISMATCH";
  readonly hint = "Register a new task, then try again.";
  readonly remedy: Remedy = "retry";
  override get message() {
    return `task ${toSingleLine(this.taskId, 100)} is not registered for agent ${toSingleLine(this.agentRuntimeId, 100)}`;
  }
}

/** The timestamp is outside of the clock window. */
export class AssertionOutsideClockWindow extends Data.TaggedError("AssertionOutsideClockWindow")<{
  readonly timestampMs: number;
  readonly nowMs: number;
  readonly windowSeconds: number;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_OUTSIDE_CLOCK_WINDOW";
  readonly hint = "Check the clock of the agent's machine.";
  readonly remedy: Remedy = "retry";
  override get message() {
    const offsetSeconds = Math.round((this.timestampMs - this.nowMs) / 1000);
    const direction = offsetSeconds < 0 ? "in the past" : "in the future";
    return `assertion timestamp is ${Math.abs(offsetSeconds)} s ${direction}, the clock window is ${this.windowSeconds} s`;
  }
}

/** The signature does not verify with the agent's public key. */
export class AssertionSignatureInvalid extends Data.TaggedError("AssertionSignatureInvalid")<{
  readonly agentRuntimeId: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_SIGNATURE_INVALID";
  readonly hint = "Sign with the key that the agent registered.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return `invalid assertion signature of agent ${toSingleLine(this.agentRuntimeId, 100)}`;
  }
}

/** The same assertion was used more often than the replay store allows. */
export class AssertionReplayed extends Data.TaggedError("AssertionReplayed")<{
  readonly agentRuntimeId: string;
  readonly taskId: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_REPLAYED";
  readonly hint = "Sign a new assertion; timestamps have whole seconds.";
  readonly remedy: Remedy = "retry";
  override get message() {
    return `assertion of agent ${toSingleLine(this.agentRuntimeId, 100)} was used too often`;
  }
}

/**
 * A service of the verifier (public keys, tasks or replays) failed or returned an invalid value, so nothing was
 * decided. A gateway responds with 503.
 */
export class AssertionLookupFailed extends Data.TaggedError("AssertionLookupFailed")<{
  readonly service: "AgentPublicKeys" | "tasks" | "AssertionReplayStore";
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_LOOKUP_FAILED";
  readonly hint = "Check the look-up named in the message, then try again.";
  readonly remedy: Remedy = "retry";
  override get message() {
    return `assertion could not be checked: ${this.service}: ${toSingleLine(this.problem, 200)}`;
  }
}

/** Why an agent's assertion was rejected. */
export type AssertionError =
  | AssertionMalformed
  | AssertionAgentUnknown
  | AssertionAgentMismatch
  | AssertionTaskMismatch
  | AssertionOutsideClockWindow
  | AssertionSignatureInvalid
  | AssertionReplayed
  | AssertionLookupFailed;
