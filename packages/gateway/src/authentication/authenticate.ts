import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { makeFailureLog } from "../errors/failure-log.ts";
import type { RequestRejected, StoreUnavailable } from "../errors/index.ts";
import type { GatewayMetrics } from "../metrics/index.ts";
import { makeCachedRegistry } from "../registry/cache.ts";
import type { AgentRegistry } from "../registry/index.ts";
import type { AssertionUses } from "../replay/index.ts";
import { checkAccountHeaders } from "./account-headers.ts";
import { makeAssertionCheck, type VerifiedAssertion } from "./assertions.ts";
import type {
  AgentPrincipal,
  AuthenticationOptions,
  Credentials,
  Principal,
  UserPrincipal,
} from "./principal.ts";
import { reject, rejectUnavailable } from "./rejection.ts";
import { counterOf, makeSourceLimits } from "./source-limits.ts";
import type { UserTokens } from "./users.ts";
import { andThen, asEffect, isRejected, type Verdict } from "./verdict.ts";
import { makeVerifiedHeaders } from "./verified-headers.ts";

/** The services of an authentication; only the registry is required. */
export interface Dependencies {
  readonly registry: AgentRegistry["Service"];
  readonly uses: AssertionUses["Service"] | undefined;
  readonly users: UserTokens["Service"] | undefined;
  readonly metrics: GatewayMetrics["Service"] | undefined;
}

/** `Authorization: <scheme> <credential>` (RFC 9110 §11.6.2). */
const schemeOf = (header: string): string => {
  const end = header.indexOf(" ");
  return (end < 0 ? header : header.slice(0, end)).toLowerCase();
};

const checkWindow = (seconds: number): number => {
  if (typeof seconds !== "number") throw new TypeError("clockWindowSeconds must be a number");
  if (seconds >= 0 && seconds <= 86_400) return seconds;
  throw new RangeError("clockWindowSeconds must be from 0 to 86400");
};

/**
 * The implementation of `Authentication`. The order of the checks: limits of the source, headers that were verified in this
 * second, failures of the source, the credential, its account, limits of the caller.
 */
export const makeAuthentication = Effect.fnUntraced(function* (
  { registry, uses, users, metrics }: Dependencies,
  options: AuthenticationOptions,
) {
  const windowSeconds = checkWindow(options.clockWindowSeconds ?? 300);
  const areHeadersRequired = options.accountHeaders === "required";
  const perAgent = counterOf(options.perAgent);
  const sources = makeSourceLimits(options);
  const cache = yield* makeCachedRegistry(registry, options.cache);
  const log = makeFailureLog();
  const unavailable = (error: StoreUnavailable) =>
    Effect.andThen(log.store(error), Effect.fail(rejectUnavailable()));
  const clock = yield* Clock.Clock;
  const assertions = makeAssertionCheck({ cache, uses, windowSeconds, unavailable });
  const headers = makeVerifiedHeaders();

  const withinLimit = <P extends Principal>(
    principal: P,
    key: string,
    nowMs: number,
  ): P | RequestRejected => {
    const waitMs = perAgent?.hit(key, nowMs) ?? 0;
    if (waitMs === 0) return principal;
    return reject("rate_limited", "too many requests from this caller", waitMs);
  };

  const acceptAgent = (principal: AgentPrincipal, credentials: Credentials, nowMs: number) =>
    checkAccountHeaders(principal.account, credentials, areHeadersRequired) ??
    withinLimit(principal, principal.agentRuntimeId, nowMs);

  const acceptVerified = (
    verified: VerifiedAssertion,
    credentials: Credentials,
    nowMs: number,
  ): Verdict<AgentPrincipal> =>
    andThen(assertions.countUse(verified, nowMs), (principal) =>
      acceptAgent(principal, credentials, nowMs),
    );

  const byAssertion = (header: string, credentials: Credentials, nowMs: number) =>
    andThen(assertions.verify(header, nowMs), (verified) => {
      if (verified.mayBeRemembered) headers.remember(header, verified, nowMs);
      return acceptVerified(verified, credentials, nowMs);
    });

  const byBearer = (
    token: string,
    credentials: Credentials,
    nowMs: number,
  ): Verdict<UserPrincipal> => {
    if (users === undefined) return reject("unknown_scheme", "Authorization is not AgentAssertion");
    return users.verify(token).pipe(
      Effect.catchTag("StoreUnavailable", unavailable),
      Effect.flatMap((user) => {
        const { account } = user;
        const wrong =
          account === undefined ? undefined : checkAccountHeaders(account, credentials, false);
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

  const decide = (credentials: Credentials, nowMs: number): Verdict<Principal> => {
    const { authorization, source } = credentials;
    if (authorization === null || authorization === undefined || authorization === "")
      return reject("missing_authorization", "the header Authorization is missing");
    const known = headers.find(authorization, nowMs);
    // Counting a use may cost a request to a store, which a source with too many failures does not get.
    if (known !== undefined && uses === undefined)
      return acceptAgent(known.principal, credentials, nowMs);
    const failing = sources.checkFailures(source, nowMs);
    if (failing !== undefined) return failing;
    return known === undefined
      ? byCredential(authorization, credentials, nowMs)
      : acceptVerified(known, credentials, nowMs);
  };

  /** As `decide`. What a service of the program throws is a defect as well, and must not reach an HTTP server. */
  const decideOrDie = (credentials: Credentials, nowMs: number): Verdict<Principal> => {
    try {
      return decide(credentials, nowMs);
    } catch (defect) {
      return Effect.die(defect);
    }
  };

  /** Counts the outcome. Only a 401 is the caller's failure. */
  const settle = (
    outcome: Principal | RequestRejected,
    source: string | undefined,
    nowMs: number,
  ) => {
    metrics?.count(isRejected(outcome) ? outcome.reason : outcome.kind);
    if (isRejected(outcome) && outcome.status === 401) sources.countFailure(source, nowMs);
  };

  const authenticateNow = (credentials: Credentials): Verdict<Principal> => {
    const nowMs = clock.currentTimeMillisUnsafe();
    const { source } = credentials;
    const verdict = sources.countRequest(source, nowMs) ?? decideOrDie(credentials, nowMs);
    if (isRejected(verdict) || !Effect.isEffect(verdict)) {
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
      headers.clear();
    },
    sizes: Effect.map(cache.size(), ({ known, unknown }) => ({
      known,
      unknown,
      verified: headers.size(),
    })),
  };
});
