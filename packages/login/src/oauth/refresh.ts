import { type HttpTransportError, isTransientHttpError } from "@agent-auth/agent-identity/errors";
import {
  type HttpResponse,
  type HttpTransport,
  isTransientStatus,
} from "@agent-auth/agent-identity/http";
import { parseRetryAfterMs } from "@agent-auth/agent-identity/http/retry-after";
import * as Clock from "effect/Clock";
import * as Data from "effect/Data";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import { RefreshFailed, RefreshRejected } from "../errors/refresh.ts";
import { compact } from "../internal/compact.ts";
import { parseJson } from "@agent-auth/agent-identity/encoding";
import { shortTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import { isSuccess, maxRetryAfterMs, retryPauses, sendJson } from "./request.ts";

/** Why a refresh token is spent; sent to the authority as `refresh_reason`. */
export type RefreshReason = "proactive_expiry" | "scheduled" | "unauthorized_recovery" | "forced";

/** A refresh request to a token endpoint. */
export interface RefreshRequest {
  readonly url: string;
  readonly clientId: string;
  readonly refreshToken: Redacted.Redacted;
  readonly reason: RefreshReason;
  /** Named in errors. */
  readonly accountId?: string;
}

/** The tokens of a refresh response. Absent tokens keep their former value. Nothing in them was verified. */
export interface RefreshedTokens {
  readonly idToken?: Redacted.Redacted;
  readonly accessToken?: Redacted.Redacted;
  readonly refreshToken?: Redacted.Redacted;
}

/**
 * Spends a refresh token (docs/protocol.md §9) and returns what `keep` makes of the response. One attempt series: three
 * attempts of 10 s at most, with backoff and `Retry-After`, for transient failures. Any 2xx response ends the series,
 * since the token is spent then.
 *
 * An attempt and `keep` cannot be interrupted, so that the only copy of the new tokens is not lost; the pauses between
 * attempts can. The caller must make sure that no other task or process sends the same token; `confirm` runs before each
 * attempt, and nothing is sent if it fails.
 *
 * Fails with `RefreshRejected` if the authority will never accept the token again, with `RefreshFailed` otherwise.
 */
export const spendRefreshToken = Effect.fn("login.spendRefreshToken")(function* <
  A,
  E,
  R,
  E2 = never,
>(
  request: RefreshRequest,
  keep: (tokens: RefreshedTokens) => Effect.Effect<A, E, R>,
  confirm: Effect.Effect<void, E2> = Effect.void,
): Effect.fn.Return<A, E | E2 | RefreshRejected | RefreshFailed, R | HttpTransport> {
  let attempts = 0;
  const attempt = Effect.suspend(() => {
    attempts += 1;
    return sendOnce(request);
  });
  const keepResponse = Effect.uninterruptible(Effect.flatMap(attempt, keep));
  return yield* Effect.andThen(confirm, keepResponse).pipe(
    Effect.retry({ schedule: retries, while: (error) => isAttemptFailed(error) && error.mayPass }),
    Effect.catchIf(isAttemptFailed, ({ advice, isSpent, reason, retryAfterMs, status }) =>
      Effect.fail(
        new RefreshFailed(compact({ advice, attempts, isSpent, reason, retryAfterMs, status })),
      ),
    ),
  );
});

/** One attempt that brought no tokens. */
class AttemptFailed extends Data.TaggedError("AttemptFailed")<{
  readonly reason: string;
  /** Whether the same request may succeed within a few seconds. */
  readonly mayPass: boolean;
  readonly status?: number;
  readonly retryAfterMs?: number;
  readonly isSpent?: true;
  readonly advice?: RefreshFailed["advice"];
}> {}

const isAttemptFailed = (error: unknown): error is AttemptFailed => error instanceof AttemptFailed;

const retries = retryPauses((error: unknown) =>
  isAttemptFailed(error) ? error.retryAfterMs : undefined,
);

const sendOnce = Effect.fnUntraced(function* (
  request: RefreshRequest,
): Effect.fn.Return<RefreshedTokens, RefreshRejected | AttemptFailed, HttpTransport> {
  const body = {
    client_id: request.clientId,
    grant_type: "refresh_token",
    refresh_reason: request.reason,
    refresh_token: Redacted.value(request.refreshToken),
  };
  const response = yield* Effect.mapError(sendJson(request.url, body, shortTimeoutMs), (error) =>
    isResponseLost(error)
      ? new AttemptFailed({ reason: error.message, mayPass: false, isSpent: true })
      : new AttemptFailed({
          reason: error.message,
          mayPass: isTransientHttpError(error),
          advice: { hint: error.hint, remedy: error.remedy },
        }),
  );
  return yield* readResponse(response, yield* Clock.currentTimeMillis, request.accountId);
});

/** A 2xx response that broke off: the authority has spent the token, and the new tokens are lost. */
const isResponseLost = (error: HttpTransportError): boolean =>
  error._tag === "HttpConnectionFailed" && error.status !== undefined && error.status < 300;

/** Error codes in lower case. */
const permanentCodes: ReadonlyMap<string | undefined, RefreshRejected["reason"]> = new Map([
  ["refresh_token_expired", "expired"],
  ["refresh_token_reused", "reused"],
  ["refresh_token_invalidated", "revoked"],
]);

const readResponse = (
  response: HttpResponse,
  nowMs: number,
  accountId: string | undefined,
): Effect.Effect<RefreshedTokens, RefreshRejected | AttemptFailed> => {
  const { status } = response;
  if (isSuccess(response)) {
    const tokens = parseRefreshedTokens(response.body);
    if (tokens !== undefined) return Effect.succeed(tokens);
    const reason = "the response is not a token response";
    return Effect.fail(new AttemptFailed({ reason, status, mayPass: false, isSpent: true }));
  }
  const permanent = permanentCodes.get(parseErrorCode(response.body)?.toLowerCase());
  if (permanent !== undefined || status === 401) {
    return Effect.fail(new RefreshRejected(compact({ reason: permanent ?? "other", accountId })));
  }
  const retryAfterMs = parseRetryAfterMs(response.headers["retry-after"], nowMs);
  return Effect.fail(
    new AttemptFailed({
      reason: `the authority responded with status ${status}`,
      status,
      mayPass:
        (isTransientStatus(status) || status === 408) && (retryAfterMs ?? 0) <= maxRetryAfterMs,
      ...compact({ retryAfterMs }),
    }),
  );
};

const token = z.nullish(z.string().check(z.minLength(1)));
const TokenResponse = z.object({ id_token: token, access_token: token, refresh_token: token });

/** Reads the body of a successful refresh (RFC 6749 §5.1, every member optional); `undefined` if it is not one. */
const parseRefreshedTokens = (body: string): RefreshedTokens | undefined => {
  const read = TokenResponse.safeParse(parseJson(body));
  if (!read.success) return undefined;
  return compact({
    idToken: secret(read.data.id_token, "id_token"),
    accessToken: secret(read.data.access_token, "access_token"),
    refreshToken: secret(read.data.refresh_token, "refresh_token"),
  });
};

const code = z.string().check(z.minLength(1));
const ErrorResponse = z.union([
  z.object({ error: z.object({ code }) }),
  z.object({ error: code }),
  z.object({ code }),
]);

/** The error code of an error response, in any of its three places; `undefined` if the body has none. */
const parseErrorCode = (body: string): string | undefined => {
  const read = ErrorResponse.safeParse(parseJson(body));
  if (!read.success) return undefined;
  if ("code" in read.data) return read.data.code;
  const { error } = read.data;
  return typeof error === "string" ? error : error.code;
};

const secret = (text: string | null | undefined, label: string): Redacted.Redacted | undefined =>
  text === null || text === undefined ? undefined : Redacted.make(text, { label });
