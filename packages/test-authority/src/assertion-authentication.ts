import {
  AgentPublicKeys,
  verifyAgentAssertion,
} from "@agent-auth/agent-identity/assertion-verifier";
import type { AssertionError } from "@agent-auth/agent-identity/errors";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { Agent } from "./accounts.ts";
import { Refusal, unauthorized } from "./answer.ts";
import { onAuthorityClock } from "./effect-clock.ts";
import type { AuthorityState } from "./state.ts";

/** The verifier's errors under the short codes of this authority's refusals. */
const codes: Readonly<Record<AssertionError["_tag"], string>> = {
  AssertionMalformed: "malformed_assertion",
  AssertionAgentUnknown: "unknown_agent",
  AssertionRuntimeRefused: "wrong_agent",
  AssertionTaskRefused: "unknown_task",
  AssertionOutsideClockWindow: "stale_timestamp",
  AssertionSignatureInvalid: "bad_signature",
  AssertionReplayed: "replayed_assertion",
  AssertionLookupFailed: "lookup_failed",
};

/** The registered agent behind an `AgentAssertion` header, or a `Refusal` (401) that says what is wrong with it. */
export const authenticateAssertion = (state: AuthorityState, header: string): Promise<Agent> => {
  const { agents } = state.directory;
  const keys = AgentPublicKeys.of({
    find: (id) => Effect.sync(() => Option.fromUndefinedOr(agents.get(id)?.publicKey)),
  });
  const verified = verifyAgentAssertion(header, {
    isKnownTask: ({ agentRuntimeId, taskId }) =>
      Effect.sync(() => agents.get(agentRuntimeId)?.taskIds.has(taskId) === true),
  }).pipe(
    Effect.provideService(AgentPublicKeys, keys),
    Effect.flatMap(({ agentRuntimeId }) => Effect.fromNullishOr(agents.get(agentRuntimeId))),
  );
  return Effect.runPromise(
    onAuthorityClock(state.clock, verified).pipe(
      Effect.match({
        onSuccess: (agent) => agent,
        onFailure: (error) =>
          "code" in error
            ? unauthorized(codes[error._tag], error.message)
            : unauthorized("unknown_agent", "the agent is gone"),
      }),
    ),
  ).then((found) => {
    if (found instanceof Refusal) throw found;
    return found;
  });
};
