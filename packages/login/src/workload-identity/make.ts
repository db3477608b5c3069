import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Cache from "effect/Cache";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Redacted from "effect/Redacted";
import type { LoginEnvironment } from "../config/environment.ts";
import { dueAtMs } from "../credential/expiry.ts";
import type { WorkloadIdentityCredential } from "../credential/index.ts";
import {
  WorkloadIdentityChanged,
  type WorkloadIdentityError,
} from "../errors/workload-identity.ts";
import { exchangeIdentityToken } from "./exchange.ts";
import type { WorkloadIdentitySettings } from "./settings.ts";
import { fetchIdentityToken } from "./sources/index.ts";
import { unavailable } from "./sources/source.ts";
import { assertOwnerTrusted } from "../storage/privilege.ts";

/** The tokens of one workload identity. */
export interface WorkloadIdentity {
  /**
   * The credential for the next request: exchanged once, and again when it is due. Concurrent callers share one exchange.
   * After a failure, every call fails with the same error until a pause has passed.
   */
  readonly credential: Effect.Effect<
    WorkloadIdentityCredential,
    WorkloadIdentityError,
    HttpTransport
  >;
  /** After a 401: a credential with a token other than the rejected one. Concurrent callers share one exchange. */
  readonly replace: (
    rejected: WorkloadIdentityCredential,
  ) => Effect.Effect<WorkloadIdentityCredential, WorkloadIdentityError, HttpTransport>;
}

export interface WorkloadIdentityOptions {
  readonly settings: WorkloadIdentitySettings;
  readonly environment: Pick<LoginEnvironment, "variable">;
}

/**
 * Returns the tokens of a workload identity: fetches the identity token from its source, exchanges it, and keeps the
 * result in memory until it is due. Nothing is sent before the first use, and nothing is ever stored.
 *
 * @example
 * ```ts
 * import type { WorkloadIdentityOptions } from "@agent-auth/login/workload-identity";
 * import { makeWorkloadIdentity } from "@agent-auth/login/workload-identity";
 * import * as Effect from "effect/Effect";
 *
 * const accountOf = (options: WorkloadIdentityOptions) =>
 *   Effect.gen(function* () {
 *     const identity = yield* makeWorkloadIdentity(options);
 *     const { account } = yield* identity.credential; // one exchange
 *     return account.accountId;
 *   });
 * ```
 */
export const makeWorkloadIdentity = Effect.fnUntraced(function* ({
  environment,
  settings,
}: WorkloadIdentityOptions): Effect.fn.Return<WorkloadIdentity> {
  let principal: string | undefined;
  let last: WorkloadIdentityCredential | undefined;
  let failures = 0;

  const exchange = Effect.gen(function* () {
    yield* assertConfigTrusted(settings);
    const identityToken = yield* fetchIdentityToken(settings.source, environment);
    const token = yield* exchangeIdentityToken(settings, identityToken);
    if (principal !== undefined && principal !== token.principal)
      return yield* new WorkloadIdentityChanged({ origin: new URL(settings.tokenUrl).origin });
    principal = token.principal;
    const { accessToken, account, expiresAtMs, obtainedAtMs } = token;
    const credential: WorkloadIdentityCredential = {
      _tag: "WorkloadIdentity",
      backend: settings.target._tag === "Api" ? "api" : "chatgpt",
      accessToken,
      account,
      obtainedAtMs,
      expiresAtMs,
      source: {
        _tag: "WorkloadIdentity",
        identitySource: settings.source.name,
        setting: settings.setting,
      },
    };
    last = credential;
    failures = 0;
    return { credential, goodForMs: dueAtMs(credential) - (yield* Clock.currentTimeMillis) };
  });
  const exchangeOnce = Effect.catch(exchange, (error) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      failures += 1;
      return Effect.fail({
        error,
        pauseMs: pauseMs(error, failures, (last?.expiresAtMs ?? 0) - nowMs),
      });
    }),
  );
  const cache = yield* Cache.makeWith<"token", Exchanged, ExchangeFailed, HttpTransport, "lookup">(
    () => exchangeOnce,
    {
      capacity: 1,
      requireServicesAt: "lookup", // an exchange goes through the transport of the caller that causes it
      timeToLive: (exit) => {
        if (Exit.isSuccess(exit)) return Math.max(0, exit.value.goodForMs);
        const failure = Exit.findErrorOption(exit);
        return failure._tag === "Some" ? failure.value.pauseMs : 0;
      },
    },
  );
  const credential = Cache.get(cache, "token").pipe(
    Effect.map(({ credential }) => credential),
    Effect.mapError(({ error }) => error),
  );
  return {
    credential,
    replace: ({ accessToken: rejected }) =>
      Cache.invalidateWhen(
        cache,
        "token",
        ({ credential: { accessToken } }) =>
          Redacted.value(accessToken) === Redacted.value(rejected),
      ).pipe(Effect.andThen(credential)),
  };
});

/**
 * Fails if another user can write to the configuration, because that user could have this user's files and variables
 * sent to any address. The configuration of a token command is checked in the same way.
 */
const assertConfigTrusted = ({ configFiles, source }: WorkloadIdentitySettings) =>
  Effect.forEach(configFiles, assertOwnerTrusted, { discard: true }).pipe(
    Effect.mapError(({ hint, message, remedy }) =>
      unavailable(source, `${source.name}: ${message}`, hint, remedy),
    ),
  );

interface Exchanged {
  readonly credential: WorkloadIdentityCredential;
  readonly goodForMs: number;
}

interface ExchangeFailed {
  readonly error: WorkloadIdentityError;
  readonly pauseMs: number;
}

/**
 * Milliseconds before the next exchange after a failed one, doubled each time. The pause is longer after a refusal,
 * which is unlikely to be temporary, and while the last token is still valid. It is at most half of that token's
 * remaining life.
 */
const pauseMs = (error: WorkloadIdentityError, count: number, usableForMs: number): number => {
  const isRefusal = error.remedy === "contactAdmin";
  const { first, most } =
    isRefusal || usableForMs > 0
      ? { first: 30_000, most: 300_000 }
      : { first: 2_000, most: 60_000 };
  const backOffMs = Math.min(first * 2 ** Math.min(count - 1, 10), most);
  const retryAfterMs =
    error._tag === "WorkloadIdentityRejected" ? Math.min(error.retryAfterMs ?? 0, 300_000) : 0;
  const limitMs = usableForMs > 0 ? Math.max(1_000, usableForMs / 2) : Infinity;
  return Math.min(Math.max(backOffMs, retryAfterMs), limitMs);
};
