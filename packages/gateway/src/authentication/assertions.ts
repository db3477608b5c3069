import { assertionMessage } from "@agent-auth/agent-identity/assertion";
import {
  assertionReplayKey,
  decodeAgentAssertion,
  type UnverifiedAgentAssertion,
} from "@agent-auth/agent-identity/assertion/verifier";
import {
  AssertionAgentUnknown,
  AssertionMalformed,
  AssertionOutsideClockWindow,
  AssertionReplayed,
  AssertionSignatureInvalid,
  AssertionTaskMismatch,
} from "@agent-auth/agent-identity/errors";
import * as Effect from "effect/Effect";
import type { RequestRejected, StoreUnavailable } from "../errors/index.ts";
import type { CachedAgent, CachedRegistry } from "../registry/cache.ts";
import type { AssertionUse, AssertionUses, UseVerdict } from "../replay/index.ts";
import type { AgentPrincipal } from "./principal.ts";
import { reject, rejectAssertion } from "./rejection.ts";
import { asEffect, andThen, type Verdict } from "./verdict.ts";

/** An assertion whose time, signature and task were checked; its use is not counted yet. */
export interface VerifiedAssertion {
  readonly principal: AgentPrincipal;
  /** Undefined without replay protection. */
  readonly use: AssertionUse | undefined;
  /** Whether nothing was revoked here while it was verified. Otherwise it holds for this request only. */
  readonly mayBeRemembered: boolean;
}

/** What the checks of assertions need. */
export interface AssertionCheckOptions {
  readonly cache: CachedRegistry;
  readonly uses: AssertionUses["Service"] | undefined;
  readonly windowSeconds: number;
  /** The rejection for a store that failed. */
  readonly unavailable: (error: StoreUnavailable) => Effect.Effect<never, RequestRejected>;
}

const unknownAgent = (agentRuntimeId: string) =>
  rejectAssertion(new AssertionAgentUnknown({ agentRuntimeId }));

const checkSignature = (
  claimed: UnverifiedAgentAssertion,
  { agent, key }: CachedAgent,
): CachedAgent["agent"] | RequestRejected => {
  const { agentRuntimeId, taskId, timestamp, signature } = claimed;
  if (agent.revokedAtMs !== undefined) return reject("agent_revoked", "the agent was revoked");
  return key.verify(assertionMessage(agentRuntimeId, taskId, timestamp), signature)
    ? agent
    : rejectAssertion(new AssertionSignatureInvalid({ agentRuntimeId }));
};

const afterUse = (
  principal: AgentPrincipal,
  verdict: UseVerdict,
): AgentPrincipal | RequestRejected => {
  if (verdict === "admitted") return principal;
  if (verdict === "replayed") return rejectAssertion(new AssertionReplayed(principal));
  const message = "the agent has signed too many different assertions within the clock window";
  return reject("replay_space_full", message, 1000);
};

/** The checks of an assertion, in order: what it claims, agent, signature, task; then its use. */
export const makeAssertionCheck = (options: AssertionCheckOptions) => {
  const { cache, unavailable, uses, windowSeconds } = options;

  const checkClaims = (claimed: UnverifiedAgentAssertion, nowMs: number) => {
    const { agentRuntimeId, timestampMs } = claimed;
    if (agentRuntimeId.includes(":")) {
      const problem = "agent_runtime_id must not contain a colon";
      return rejectAssertion(new AssertionMalformed({ problem }));
    }
    return Math.abs(nowMs - timestampMs) > windowSeconds * 1000
      ? rejectAssertion(new AssertionOutsideClockWindow({ timestampMs, nowMs, windowSeconds }))
      : undefined;
  };

  const findAgent = (id: string, nowMs: number): Verdict<CachedAgent> =>
    cache.agentNow(id, nowMs) ??
    cache.agent(id, nowMs).pipe(
      Effect.catch(unavailable),
      Effect.flatMap((agent) =>
        agent === undefined ? Effect.fail(unknownAgent(id)) : Effect.succeed(agent),
      ),
    );

  const checkTask = (
    claimed: UnverifiedAgentAssertion,
    agent: CachedAgent,
    nowMs: number,
  ): Verdict<CachedAgent> => {
    if (cache.hasTaskNow(agent, claimed.taskId, nowMs)) return agent;
    return cache.hasTask(agent, claimed.taskId, nowMs).pipe(
      Effect.catch(unavailable),
      Effect.flatMap((isKnown) =>
        isKnown
          ? Effect.succeed(agent)
          : Effect.fail(rejectAssertion(new AssertionTaskMismatch(claimed))),
      ),
    );
  };

  const useOf = (claimed: UnverifiedAgentAssertion): AssertionUse | undefined => {
    if (uses === undefined) return undefined;
    const { agentRuntimeId, timestampMs } = claimed;
    const forgetAfterMs = timestampMs + windowSeconds * 1000;
    return { agentRuntimeId, key: assertionReplayKey(claimed), forgetAfterMs };
  };

  const verified = (claimed: UnverifiedAgentAssertion, cached: CachedAgent): VerifiedAssertion => ({
    principal: {
      kind: "agent",
      agentRuntimeId: claimed.agentRuntimeId,
      taskId: claimed.taskId,
      account: cached.agent.account,
      signedAtMs: claimed.timestampMs,
    },
    use: useOf(claimed),
    mayBeRemembered: cache.isCurrent(cached),
  });

  return {
    verify: (header: string, nowMs: number): Verdict<VerifiedAssertion> => {
      const claimed = decodeAgentAssertion(header);
      if ("_tag" in claimed) return rejectAssertion(claimed);
      const wrong = checkClaims(claimed, nowMs);
      if (wrong !== undefined) return wrong;
      return andThen(findAgent(claimed.agentRuntimeId, nowMs), (agent) =>
        andThen(checkSignature(claimed, agent), () =>
          andThen(checkTask(claimed, agent, nowMs), () => verified(claimed, agent)),
        ),
      );
    },
    /** Counts a use of the assertion, if there is replay protection. */
    countUse: ({ principal, use }: VerifiedAssertion, nowMs: number): Verdict<AgentPrincipal> => {
      if (uses === undefined || use === undefined) return principal;
      if (uses.admitNow !== undefined) return afterUse(principal, uses.admitNow(use, nowMs));
      return uses.admit(use).pipe(
        Effect.catch(unavailable),
        Effect.flatMap((verdict) => asEffect(afterUse(principal, verdict))),
      );
    },
  };
};
