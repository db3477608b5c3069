import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { Credential } from "../credential/index.ts";
import {
  NewCredentialRejected,
  type RefreshFailed,
  type RefreshRejected,
} from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import type { AuthTokens } from "../storage/auth-json/index.ts";
import { fingerprint } from "../storage/fingerprint.ts";
import { isSameSecret } from "./state.ts";

// Remembers what servers rejected, so that a manager does not send requests that are known to fail.

/** The last refresh token that must not be sent again, and why. */
export interface SpentTokens {
  readonly errorOf: (tokens: AuthTokens) => RefreshRejected | RefreshFailed | undefined;
  readonly remember: (tokens: AuthTokens, error: RefreshRejected | RefreshFailed) => void;
}

export const makeSpentTokens = (): SpentTokens => {
  let last: { readonly token: string; readonly error: RefreshRejected | RefreshFailed } | undefined;
  return {
    errorOf: ({ refreshToken }) =>
      last?.token === fingerprint(refreshToken) ? last.error : undefined,
    remember: ({ refreshToken }, error) => {
      last = { token: fingerprint(refreshToken), error };
    },
  };
};

/**
 * Milliseconds for which a credential that replaced a rejected one is not replaced itself if it is rejected as well:
 * one minute, doubled for each rejection in a row, at most an hour.
 */
export const recoveryPauseMs = (rejections: number): number =>
  Math.min(60_000 * 2 ** Math.min(rejections, 10), 3_600_000);

/**
 * Milliseconds after a failed refresh in which no program that shares the sign-in attempts the next one: ten seconds,
 * doubled for each failure in a row, at most a minute; longer if `Retry-After` says so, at most five minutes.
 */
export const refreshPauseMs = (failures: number, retryAfterMs = 0): number =>
  Math.max(
    Math.min(10_000 * 2 ** Math.min(failures - 1, 10), 60_000),
    Math.min(retryAfterMs, 300_000),
  );

/** An operation that loads first and then asks again spends one attempt series, not two. */
export const SAME_OPERATION_MS = 2_000;

/** The last agent task, or external token, that was obtained because a server had rejected the one before. */
export interface ObtainedCredentials {
  /** Fails if this credential was obtained moments ago: the next one would be rejected as well. */
  readonly refuseSoonAgain: (rejected: Credential) => Effect.Effect<void, NewCredentialRejected>;
  readonly remember: (obtained: Credential, insteadOf: Credential) => Effect.Effect<void>;
}

export const makeObtainedCredentials = (): ObtainedCredentials => {
  let last:
    | { readonly credential: Credential; readonly atMs: number; readonly rejections: number }
    | undefined;
  return {
    refuseSoonAgain: (rejected) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
        if (last === undefined || !isSameSecret(last.credential, rejected)) return Effect.void;
        const retryAtMs = last.atMs + recoveryPauseMs(last.rejections);
        if (nowMs < last.atMs || nowMs >= retryAtMs) return Effect.void;
        const { _tag: kind, account } = rejected;
        const ageMs = nowMs - last.atMs;
        const { accountId } = account;
        return Effect.fail(
          new NewCredentialRejected(compact({ kind, accountId, ageMs, retryAtMs })),
        );
      }),
    remember: (obtained, insteadOf) =>
      Effect.map(Clock.currentTimeMillis, (atMs) => {
        const isAgain =
          last !== undefined &&
          isSameSecret(last.credential, insteadOf) &&
          atMs - last.atMs < 2 * recoveryPauseMs(last.rejections);
        const rejections = last !== undefined && isAgain ? last.rejections + 1 : 0;
        last = { credential: obtained, atMs, rejections };
      }),
  };
};
