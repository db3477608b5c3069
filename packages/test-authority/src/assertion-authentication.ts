import {
  AgentPublicKeys,
  verifyAgentAssertion,
} from "@agent-auth/agent-identity/assertion/verifier";
import type { AssertionError } from "@agent-auth/agent-identity/errors";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import type { Agent } from "./accounts.ts";
import { unauthorized } from "./response.ts";
import { onAuthorityClock } from "./effect-clock.ts";
import type { AuthorityState } from "./state.ts";

/** The verifier's errors under the short codes of this authority's refusals. */
const codes: Readonly<Record<AssertionError["_tag"], string>> = {
  AssertionMalformed: "malformed_assertion",
  AssertionAgentUnknown: "unknown_agent",
  AssertionAgentMismatch: "wrong_agent",
  AssertionTaskMismatch: "unknown_task",
  AssertionOutsideClockWindow: "stale_timestamp",
  AssertionSignatureInvalid: "bad_signature",
  AssertionReplayed: "replayed_assertion",
  AssertionLookupFailed: "lookup_failed",
};

/** The registered agent behind an `AgentAssertion` header, or a `HttpError` (401) that says what is wrong with it. */
export const authenticateAssertion = async (
  state: AuthorityState,
  header: string,
): Promise<Agent> => {
  const { agents } = state.directory;
  const keys = AgentPublicKeys.of({
    find: (id) => Effect.sync(() => Option.fromUndefinedOr(agents.get(id)?.publicKey)),
  });
  const verified = verifyAgentAssertion(header, {
    isKnownTask: ({ agentRuntimeId, taskId }) =>
      Effect.sync(() => agents.get(agentRuntimeId)?.taskIds.has(taskId) === true),
  }).pipe(Effect.provideService(AgentPublicKeys, keys), Effect.result);
  const result = await Effect.runPromise(onAuthorityClock(state.clock, verified));
  if (Result.isFailure(result)) {
    const { _tag, message } = result.failure;
    throw unauthorized(codes[_tag], message);
  }
  const agent = agents.get(result.success.agentRuntimeId);
  if (agent === undefined) throw unauthorized("unknown_agent", "the agent is gone");
  return agent;
};
