import * as Data from "effect/Data";
import { oneLine } from "../encoding/printable.ts";

const hintForAgents = "Send a fresh assertion of a registered agent and task.";

/** Not an `AgentAssertion` header, or its envelope has the wrong shape. */
export class AssertionMalformed extends Data.TaggedError("AssertionMalformed")<{
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_MALFORMED";
  readonly hint = "Send `AgentAssertion`, a space, and the base64url envelope.";
  override get message() {
    return `agent assertion is malformed: ${this.problem}`;
  }
}

/** No public key is known for the runtime. */
export class AssertionAgentUnknown extends Data.TaggedError("AssertionAgentUnknown")<{
  readonly agentRuntimeId: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_AGENT_UNKNOWN";
  readonly hint = "Register the agent first.";
  override get message() {
    return `agent ${oneLine(this.agentRuntimeId, 100)} is not known`;
  }
}

/** The assertion is from another runtime than the caller expects. */
export class AssertionRuntimeRefused extends Data.TaggedError("AssertionRuntimeRefused")<{
  readonly expected: string;
  readonly found: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_RUNTIME_REFUSED";
  readonly hint = hintForAgents;
  override get message() {
    return `assertion is from agent ${oneLine(this.found, 100)}, not from ${oneLine(this.expected, 100)}`;
  }
}

/** The task is not one of this runtime. */
export class AssertionTaskMismatch extends Data.TaggedError("AssertionTaskMismatch")<{
  readonly agentRuntimeId: string;
  readonly taskId: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_TASK_MISMATCH";
  readonly hint = "Register a new task, then try again.";
  override get message() {
    return `task ${oneLine(this.taskId, 100)} is not registered for agent ${oneLine(this.agentRuntimeId, 100)}`;
  }
}

/** Signed too long ago, or in the future. */
export class AssertionOutsideClockWindow extends Data.TaggedError("AssertionOutsideClockWindow")<{
  readonly timestampMs: number;
  readonly nowMs: number;
  readonly windowSeconds: number;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_OUTSIDE_CLOCK_WINDOW";
  readonly hint = "Check the clock of the agent's machine.";
  override get message() {
    const away = Math.round((this.timestampMs - this.nowMs) / 1000);
    return `assertion is ${Math.abs(away)} s ${away < 0 ? "old" : "in the future"}, more than ${this.windowSeconds} s away`;
  }
}

/** The signature does not belong to runtime, task and timestamp under the agent's key. */
export class AssertionSignatureInvalid extends Data.TaggedError("AssertionSignatureInvalid")<{
  readonly agentRuntimeId: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_SIGNATURE_INVALID";
  readonly hint = "Sign with the key that the agent registered.";
  override get message() {
    return `signature of agent ${oneLine(this.agentRuntimeId, 100)} is wrong`;
  }
}

/** The same assertion was used more often than the replay store allows. */
export class AssertionReplayed extends Data.TaggedError("AssertionReplayed")<{
  readonly agentRuntimeId: string;
  readonly taskId: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_REPLAYED";
  readonly hint = "Sign again; the timestamp has whole seconds.";
  override get message() {
    return `assertion of agent ${oneLine(this.agentRuntimeId, 100)} was used before`;
  }
}

/** A service of the verifier (keys, tasks or replays) could not answer, so nothing was decided. */
export class AssertionLookupFailed extends Data.TaggedError("AssertionLookupFailed")<{
  readonly service: "AgentPublicKeys" | "tasks" | "AssertionReplayStore";
  readonly problem: string;
}> {
  readonly code = "AGENT_IDENTITY_ASSERTION_LOOKUP_FAILED";
  readonly hint = "Try again later.";
  override get message() {
    return `assertion could not be checked: ${this.service}: ${oneLine(this.problem, 200)}`;
  }
}

/** Why an agent's assertion is not accepted. */
export type AssertionError =
  | AssertionMalformed
  | AssertionAgentUnknown
  | AssertionRuntimeRefused
  | AssertionTaskMismatch
  | AssertionOutsideClockWindow
  | AssertionSignatureInvalid
  | AssertionReplayed
  | AssertionLookupFailed;
