import { type HttpTransportError, isTransientHttpError } from "@agent-auth/agent-identity/errors";
import { HttpTransport, type HttpResponse } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { RefreshReason } from "../manager/types.ts";
import { RefreshFailed, RefreshRejected } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import { parseErrorCode, parseRefreshedTokens, type RefreshedTokens } from "./refresh-response.ts";

const attemptTimeoutMs = 10_000;
const maxAttempts = 3;
const firstPauseMs = 250;

export interface RefreshRequest {
  readonly url: string;
  readonly clientId: string;
  readonly refreshToken: Redacted.Redacted;
  readonly reason: RefreshReason;
  /** Named in errors. */
  readonly accountId?: string;
}

/** The outcome of one attempt that may be tried again. */
interface Passing {
  readonly _tag: "Passing";
  readonly reason: string;
  readonly status?: number;
  readonly retryAfterMs?: number;
}

/**
 * Spends a refresh token (docs/protocol.md §9): 10 s for an attempt, three attempts with backoff where the failure
 * may pass. Comes back with whatever tokens the authority sent, possibly none; nothing is saved here. Whoever calls
 * this has to make sure that nobody else spends the same token, and not to be interrupted before the answer is kept.
 */
export const spendRefreshToken = Effect.fn("login.spendRefreshToken")(function* (
  request: RefreshRequest,
): Effect.fn.Return<RefreshedTokens, RefreshRejected | RefreshFailed, HttpTransport> {
  for (let attempt = 1; ; attempt++) {
    const outcome = yield* attemptOnce(request);
    if (outcome._tag === "Tokens") return outcome.tokens;
    if (outcome._tag === "Final" || attempt === maxAttempts) {
      return yield* new RefreshFailed(
        compact({ reason: outcome.reason, status: outcome.status, attempts: attempt }),
      );
    }
    yield* Effect.sleep(pauseMs(attempt, outcome.retryAfterMs));
  }
});

type Outcome =
  | Passing
  | { readonly _tag: "Tokens"; readonly tokens: RefreshedTokens }
  | { readonly _tag: "Final"; readonly reason: string; readonly status?: number };

const attemptOnce = Effect.fnUntraced(function* (
  request: RefreshRequest,
): Effect.fn.Return<Outcome, RefreshRejected, HttpTransport> {
  const transport = yield* HttpTransport;
  return yield* transport
    .request({
      method: "POST",
      url: request.url,
      headers: { accept: "application/json", "content-type": "application/json" },
      body: requestBody(request),
      timeoutMs: attemptTimeoutMs,
    })
    .pipe(
      Effect.matchEffect({
        onFailure: (error: HttpTransportError) =>
          Effect.succeed<Outcome>({
            _tag: isTransientHttpError(error) ? "Passing" : "Final",
            reason: error.message,
          }),
        onSuccess: (answer) => judge(answer, request.accountId),
      }),
    );
});

const requestBody = (request: RefreshRequest): Redacted.Redacted =>
  Redacted.make(
    JSON.stringify({
      client_id: request.clientId,
      grant_type: "refresh_token",
      refresh_reason: request.reason,
      refresh_token: Redacted.value(request.refreshToken),
    }),
    { label: "refresh request" },
  );

const permanentCodes: ReadonlyMap<string | undefined, RefreshRejected["reason"]> = new Map([
  ["refresh_token_expired", "expired"],
  ["refresh_token_reused", "reused"],
  ["refresh_token_invalidated", "revoked"],
]);

const judge = (
  answer: HttpResponse,
  accountId: string | undefined,
): Effect.Effect<Outcome, RefreshRejected> => {
  const { status } = answer;
  if (status >= 200 && status < 300) {
    const tokens = parseRefreshedTokens(answer.body);
    return Effect.succeed(
      tokens === undefined
        ? { _tag: "Final", status, reason: "the answer is no token response" }
        : { _tag: "Tokens", tokens },
    );
  }
  const permanent = permanentCodes.get(parseErrorCode(answer.body));
  if (permanent !== undefined || status === 401) {
    return Effect.fail(new RefreshRejected(compact({ reason: permanent ?? "other", accountId })));
  }
  const reason = `the authority answered with status ${status}`;
  return Effect.succeed(
    mayPassSoon(status)
      ? compact({ _tag: "Passing" as const, status, reason, retryAfterMs: retryAfterMs(answer) })
      : { _tag: "Final", status, reason },
  );
};

const mayPassSoon = (status: number): boolean => status >= 500 || status === 429 || status === 408;

const retryAfterMs = (answer: HttpResponse): number | undefined => {
  const seconds = Number(answer.headers["retry-after"]);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
};

/** 250 ms, 500 ms, with up to a quarter more; a `Retry-After` counts up to 5 s, since others wait for this refresh. */
const pauseMs = (attempt: number, retryAfterMs = 0): number => {
  const backoff = firstPauseMs * 2 ** (attempt - 1) * (1 + Math.random() / 4);
  return Math.max(backoff, Math.min(retryAfterMs, 5_000));
};
