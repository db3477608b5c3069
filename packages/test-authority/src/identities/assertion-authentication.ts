import {
  AgentPublicKeys,
  verifyAgentAssertion,
} from "@agent-auth/agent-identity/assertion/verifier";
import type { AssertionError } from "@agent-auth/agent-identity/errors";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import type { Agent } from "./accounts.ts";
import { unauthorized } from "../http/response.ts";
import type { AuthorityState } from "../state.ts";
import * as Clock from "effect/Clock";
import type { AuthorityClock } from "../steering/clock.ts";

const nanosPerMilli = 1_000_000n;

/** Runs an effect by the authority's clock. Only the date is another one: waiting takes real time. */
const onAuthorityClock = <A, E, R>(
  clock: AuthorityClock,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  Clock.clockWith((real) => {
    const nowNanos = () => BigInt(Math.floor(clock.nowMs())) * nanosPerMilli;
    return Effect.provideService(effect, Clock.Clock, {
      currentTimeMillisUnsafe: clock.nowMs,
      currentTimeMillis: Effect.sync(clock.nowMs),
      currentTimeNanosUnsafe: nowNanos,
      currentTimeNanos: Effect.sync(nowNanos),
      monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: real.monotonicTimeNanos,
      sleep: (duration) => real.sleep(duration),
    });
  });

/** The verifier's errors by the authority's short codes. */
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

/** The registered agent of an `AgentAssertion` header. Throws `HttpError` (401) that says what is wrong with it. */
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
  if (agent === undefined) throw unauthorized("unknown_agent", "the agent was revoked");
  return agent;
};
