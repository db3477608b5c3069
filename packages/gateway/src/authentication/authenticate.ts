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
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { makeFailureLog } from "../errors/failure-log.ts";
import { RequestRejected, type StoreUnavailable } from "../errors/index.ts";
import { makeWindowCounter, type RateLimit } from "../limits/index.ts";
import type { GatewayMetrics } from "../metrics/index.ts";
import { type CachedAgent, makeCachedRegistry } from "../registry/cache.ts";
import type { AgentRegistry } from "../registry/index.ts";
import type { AssertionUses, UseVerdict } from "../replay/index.ts";
import type {
  AgentPrincipal,
  AuthenticationOptions,
  Credentials,
  Principal,
  UserPrincipal,
} from "./principal.ts";
import { reject, rejectAssertion, rejectUnavailable } from "./rejection.ts";
import { checkAccountHeaders } from "./account-headers.ts";
import type { UserTokens } from "./users.ts";

/** The services of an authentication; only the registry is required. */
export interface Dependencies {
  readonly registry: AgentRegistry["Service"];
  readonly uses: AssertionUses["Service"] | undefined;
  readonly users: UserTokens["Service"] | undefined;
  readonly metrics: GatewayMetrics["Service"] | undefined;
}

/** A result at once, or the Effect that waits for a store. */
type Verdict<A> = A | RequestRejected | Effect.Effect<A, RequestRejected>;

/** How many headers of the current second are kept. */
const maxVerified = 20_000;

const isRejected = (value: unknown): value is RequestRejected => value instanceof RequestRejected;

/** Continues with a verdict, without starting a fiber if the verdict is available at once. */
const andThen = <A, B>(verdict: Verdict<A>, next: (value: A) => Verdict<B>): Verdict<B> => {
  if (isRejected(verdict)) return verdict;
  if (!Effect.isEffect(verdict)) return next(verdict);
  return Effect.flatMap(verdict, (value) => asEffect(next(value)));
};

const asEffect = <A>(verdict: Verdict<A>): Effect.Effect<A, RequestRejected> =>
  isRejected(verdict)
    ? Effect.fail(verdict)
    : Effect.isEffect(verdict)
      ? verdict
      : Effect.succeed(verdict);

/** `Authorization: <scheme> <credential>` (RFC 9110 §11.6.2). */
const schemeOf = (header: string): string => {
  const end = header.indexOf(" ");
  return (end < 0 ? header : header.slice(0, end)).toLowerCase();
};

const unknownAgent = (agentRuntimeId: string) =>
  rejectAssertion(new AssertionAgentUnknown({ agentRuntimeId }));

const afterUse = (
  claimed: UnverifiedAgentAssertion,
  verdict: UseVerdict,
): UnverifiedAgentAssertion | RequestRejected => {
  if (verdict === "admitted") return claimed;
  if (verdict === "replayed") return rejectAssertion(new AssertionReplayed(claimed));
  const message = "the agent has signed too many different assertions within the clock window";
  return reject("replay_space_full", message, 1000);
};

const checkSignature = (
  claimed: UnverifiedAgentAssertion,
  { agent, key }: CachedAgent,
): UnverifiedAgentAssertion | RequestRejected => {
  const { agentRuntimeId, taskId, timestamp, signature } = claimed;
  if (agent.revokedAtMs !== undefined) return reject("agent_revoked", "the agent was revoked");
  return key.verify(assertionMessage(agentRuntimeId, taskId, timestamp), signature)
    ? claimed
    : rejectAssertion(new AssertionSignatureInvalid({ agentRuntimeId }));
};

const counterOf = (limit: RateLimit | null | undefined) =>
  limit === null || limit === undefined ? undefined : makeWindowCounter(limit);

const checkWindow = (seconds: number): number => {
  if (typeof seconds !== "number") throw new TypeError("clockWindowSeconds must be a number");
  if (seconds >= 0 && seconds <= 86_400) return seconds;
  throw new RangeError("clockWindowSeconds must be from 0 to 86400");
};

/** The implementation of `Authentication`. */
export const makeAuthentication = Effect.fnUntraced(function* (
  { registry, uses, users, metrics }: Dependencies,
  options: AuthenticationOptions,
) {
  const windowSeconds = checkWindow(options.clockWindowSeconds ?? 300);
  const areHeadersRequired = options.accountHeaders === "required";
  const perAgent = counterOf(options.perAgent);
  const perSource = counterOf(options.perSource);
  const { failuresPerSource = { limit: 1000, windowMs: 10_000 } } = options;
  const failures = counterOf(failuresPerSource);
  const cache = yield* makeCachedRegistry(registry, options.cache);
  const log = makeFailureLog();
  const unavailable = (error: StoreUnavailable) =>
    Effect.andThen(log.store(error), Effect.fail(rejectUnavailable()));
  const clock = yield* Clock.Clock;

  /** Headers that were verified in the current second. An agent sends the same one with all its requests of a second. */
  let verified = new Map<string, AgentPrincipal>();
  let verifiedSecond = Number.NaN;

  const startSecond = (nowMs: number) => {
    const second = Math.floor(nowMs / 1000);
    if (second === verifiedSecond) return;
    verifiedSecond = second;
    if (verified.size > 0) verified = new Map();
  };

  const withinLimit = <P extends Principal>(
    principal: P,
    key: string,
    nowMs: number,
  ): P | RequestRejected => {
    const waitMs = perAgent?.hit(key, nowMs) ?? 0;
    return waitMs === 0
      ? principal
      : reject("rate_limited", "too many requests from this caller", waitMs);
  };

  const checkClaims = (claimed: UnverifiedAgentAssertion, nowMs: number) => {
    const { agentRuntimeId, timestampMs } = claimed;
    if (agentRuntimeId.includes(":")) {
      const problem = "agent_runtime_id must not contain a colon";
      return rejectAssertion(new AssertionMalformed({ problem }));
    }
    if (Math.abs(nowMs - timestampMs) > windowSeconds * 1000)
      return rejectAssertion(
        new AssertionOutsideClockWindow({ timestampMs, nowMs, windowSeconds }),
      );
    return undefined;
  };

  const findAgent = (id: string, nowMs: number): Verdict<CachedAgent> => {
    const found = cache.agentNow(id, nowMs);
    if (found !== undefined) return found;
    return cache.agent(id, nowMs).pipe(
      Effect.catch(unavailable),
      Effect.flatMap((agent) =>
        agent === undefined ? Effect.fail(unknownAgent(id)) : Effect.succeed(agent),
      ),
    );
  };

  const checkTask = (
    claimed: UnverifiedAgentAssertion,
    agent: CachedAgent,
    nowMs: number,
  ): Verdict<UnverifiedAgentAssertion> => {
    if (cache.hasTaskNow(agent, claimed.taskId, nowMs)) return claimed;
    return cache.hasTask(agent, claimed.taskId, nowMs).pipe(
      Effect.catch(unavailable),
      Effect.flatMap((isKnown) =>
        isKnown
          ? Effect.succeed(claimed)
          : Effect.fail(rejectAssertion(new AssertionTaskMismatch(claimed))),
      ),
    );
  };

  const countUse = (
    claimed: UnverifiedAgentAssertion,
    nowMs: number,
  ): Verdict<UnverifiedAgentAssertion> => {
    if (uses === undefined) return claimed;
    const { agentRuntimeId, timestampMs } = claimed;
    const forgetAfterMs = timestampMs + windowSeconds * 1000;
    const use = { agentRuntimeId, key: assertionReplayKey(claimed), forgetAfterMs };
    if (uses.admitNow !== undefined) return afterUse(claimed, uses.admitNow(use, nowMs));
    return uses.admit(use).pipe(
      Effect.catch(unavailable),
      Effect.flatMap((verdict) => asEffect(afterUse(claimed, verdict))),
    );
  };

  const finish = (
    header: string,
    claimed: UnverifiedAgentAssertion,
    cached: CachedAgent,
    credentials: Credentials,
    nowMs: number,
  ): AgentPrincipal | RequestRejected => {
    const { agent } = cached;
    const wrong = checkAccountHeaders(agent.account, credentials, areHeadersRequired);
    if (wrong !== undefined) return wrong;
    const principal: AgentPrincipal = {
      kind: "agent",
      agentRuntimeId: claimed.agentRuntimeId,
      taskId: claimed.taskId,
      account: agent.account,
      signedAtMs: claimed.timestampMs,
    };
    const isThisSecond = Math.floor(nowMs / 1000) === verifiedSecond;
    if (
      uses === undefined &&
      isThisSecond &&
      verified.size < maxVerified &&
      cache.isCurrent(cached)
    )
      verified.set(header, principal);
    return withinLimit(principal, claimed.agentRuntimeId, nowMs);
  };

  const byAssertion = (
    header: string,
    credentials: Credentials,
    nowMs: number,
  ): Verdict<AgentPrincipal> => {
    const claimed = decodeAgentAssertion(header);
    if ("_tag" in claimed) return rejectAssertion(claimed);
    const wrong = checkClaims(claimed, nowMs);
    if (wrong !== undefined) return wrong;
    return andThen(findAgent(claimed.agentRuntimeId, nowMs), (agent) =>
      andThen(checkSignature(claimed, agent), () =>
        andThen(checkTask(claimed, agent, nowMs), () =>
          andThen(countUse(claimed, nowMs), () =>
            finish(header, claimed, agent, credentials, nowMs),
          ),
        ),
      ),
    );
  };

  const byBearer = (
    token: string,
    credentials: Credentials,
    nowMs: number,
  ): Verdict<UserPrincipal> => {
    if (users === undefined) return reject("unknown_scheme", "Authorization is not AgentAssertion");
    return users.verify(token).pipe(
      Effect.catchTag("StoreUnavailable", unavailable),
      Effect.flatMap((user) => {
        const wrong =
          user.account === undefined
            ? undefined
            : checkAccountHeaders(user.account, credentials, false);
        if (wrong !== undefined) return Effect.fail(wrong);
        const principal: UserPrincipal = { kind: "user", ...user };
        return asEffect(withinLimit(principal, `\n${user.subject}`, nowMs));
      }),
    );
  };

  const byCredential = (
    header: string,
    credentials: Credentials,
    nowMs: number,
  ): Verdict<Principal> => {
    const scheme = schemeOf(header);
    if (scheme === "agentassertion") return byAssertion(header, credentials, nowMs);
    if (scheme !== "bearer") {
      const text = users === undefined ? "not AgentAssertion" : "neither Bearer nor AgentAssertion";
      return reject("unknown_scheme", `Authorization is ${text}`);
    }
    const token = header.slice("bearer ".length).trim();
    if (token === "" || token.includes(" "))
      return reject("malformed_authorization", "Authorization is not `<scheme> <credential>`");
    return byBearer(token, credentials, nowMs);
  };

  /** The rejection of a source over its limit, made once for each number of seconds to wait. */
  let sourceRejection: RequestRejected | undefined;
  const rejectSource = (source: string, nowMs: number): RequestRejected | undefined => {
    const waitMs = failures?.blockedForMs(source, nowMs) ?? 0;
    if (waitMs === 0) return undefined;
    if (sourceRejection?.retryAfterSeconds !== Math.max(1, Math.ceil(waitMs / 1000))) {
      const message = "too many failed verifications from this source";
      sourceRejection = reject("too_many_failures", message, waitMs);
    }
    return sourceRejection;
  };

  /** Counts the outcome. Only a 401 is the caller's failure. */
  const settle = (
    outcome: Principal | RequestRejected,
    source: string | undefined,
    nowMs: number,
  ) => {
    metrics?.count(isRejected(outcome) ? outcome.reason : outcome.kind);
    if (source !== undefined && isRejected(outcome) && outcome.status === 401)
      failures?.hit(source, nowMs);
  };

  const authenticateNow = (credentials: Credentials): Verdict<Principal> => {
    const nowMs = clock.currentTimeMillisUnsafe();
    const { authorization, source } = credentials;
    startSecond(nowMs);
    const waitMs = source === undefined ? 0 : (perSource?.hit(source, nowMs) ?? 0);
    if (waitMs > 0) {
      const limited = reject("rate_limited", "too many requests from this source", waitMs);
      settle(limited, undefined, nowMs);
      return limited;
    }
    if (authorization === null || authorization === undefined || authorization === "") {
      const missing = reject("missing_authorization", "the header Authorization is missing");
      settle(missing, source, nowMs);
      return missing;
    }
    const known = verified.get(authorization);
    if (known !== undefined) {
      const wrong = checkAccountHeaders(known.account, credentials, areHeadersRequired);
      const outcome = wrong ?? withinLimit(known, known.agentRuntimeId, nowMs);
      settle(outcome, source, nowMs);
      return outcome;
    }
    const blocked = source === undefined ? undefined : rejectSource(source, nowMs);
    if (blocked !== undefined) {
      settle(blocked, undefined, nowMs);
      return blocked;
    }
    const verdict = byCredential(authorization, credentials, nowMs);
    if (!Effect.isEffect(verdict) || isRejected(verdict)) {
      settle(verdict, source, nowMs);
      return verdict;
    }
    return verdict.pipe(
      // A service of the program that dies has decided nothing either.
      Effect.catchDefect((defect) =>
        Effect.andThen(log.defect(defect), Effect.fail(rejectUnavailable())),
      ),
      Effect.tapError((rejected) => Effect.sync(() => settle(rejected, source, nowMs))),
      Effect.tap((principal) => Effect.sync(() => settle(principal, source, nowMs))),
    );
  };

  return {
    authenticateNow,
    authenticate: (credentials: Credentials) =>
      Effect.suspend(() => asEffect(authenticateNow(credentials))),
    acceptsBearer: users !== undefined,
    forget: (agentRuntimeId?: string) => {
      cache.forget(agentRuntimeId);
      verified.clear();
    },
    sizes: Effect.map(cache.size(), ({ known, unknown }) => ({
      known,
      unknown,
      verified: verified.size,
    })),
  };
});
