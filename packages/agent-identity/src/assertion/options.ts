import type * as Effect from "effect/Effect";
import type { AssertionLookupFailed } from "../errors/index.ts";
import { checkTimeOption } from "../number-options.ts";

/** A task and the agent runtime that claims it. */
export interface TaskBinding {
  readonly agentRuntimeId: string;
  readonly taskId: string;
}

/** What an assertion must satisfy beyond its signature. */
export interface VerifyAssertionOptions {
  /**
   * Returns whether the task was registered for this agent runtime; called after the signature was verified. `null`
   * accepts any task of a known agent. There is no default.
   */
  readonly isKnownTask:
    | ((binding: TaskBinding) => Effect.Effect<boolean, AssertionLookupFailed>)
    | null;
  /** The only agent runtime to accept, if the caller knows it. */
  readonly expectedAgentRuntimeId?: string;
  /** How many seconds the timestamp may be in the past or future, zero or more. Default 300. */
  readonly clockWindowSeconds?: number;
}

/** Returns the options with defaults. Throws if one has the wrong type, because that could accept every assertion. */
export const checkVerifyAssertionOptions = (options: VerifyAssertionOptions) => {
  const { isKnownTask, clockWindowSeconds = 300 } = options;
  if (isKnownTask !== null && typeof isKnownTask !== "function") {
    throw new TypeError("isKnownTask must be a function, or null to accept any task");
  }
  if ("expectedAgentRuntimeId" in options && typeof options.expectedAgentRuntimeId !== "string") {
    throw new TypeError("expectedAgentRuntimeId must be a string if it is given");
  }
  checkTimeOption("clockWindowSeconds", clockWindowSeconds, { min: 0 });
  return { ...options, clockWindowSeconds };
};
