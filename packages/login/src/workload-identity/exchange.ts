import { type HttpTransportError, isTransientHttpError } from "@agent-auth/agent-identity/errors";
import { HttpTransport, type HttpResponse } from "@agent-auth/agent-identity/http";
import { parseRetryAfterMs } from "@agent-auth/agent-identity/http/retry-after";
import { requestTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import { parsePlanType } from "@agent-auth/agent-identity/record/plan";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import type { Account, WorkloadIdentityCredential } from "../credential/index.ts";
import {
  type WorkloadIdentityError,
  WorkloadIdentityRejected,
  WorkloadIdentityResponseInvalid,
  WorkloadIdentityUnavailable,
} from "../errors/workload-identity.ts";
import { compact } from "../internal/compact.ts";
import { decodeUnverifiedClaims } from "../oauth/id-token-claims.ts";
import { isSuccess, maxRetryAfterMs, parseResponse, retryPauses } from "../oauth/request.ts";
import type { WorkloadIdentitySettings, WorkloadTarget } from "./settings.ts";

/** The token of one exchange, and its owner. */
export type ExchangedToken = Pick<
  WorkloadIdentityCredential,
  "accessToken" | "account" | "obtainedAtMs" | "expiresAtMs"
> & {
  /** All ids in the response, to notice a later response with other ids. */
  readonly principal: string;
};

/** Seconds for which a token is used at most. After that, the token endpoint decides again. */
const maxLifetimeSeconds = 3_600;

/**
 * Exchanges an identity token at the token endpoint: RFC 7523 for a workspace, RFC 8693 for the API (docs/protocol.md
 * §14). At most three attempts of 30 s, with backoff and `Retry-After`, for 429, 5xx and connections that fail.
 */
export const exchangeIdentityToken = Effect.fn("login.exchangeIdentityToken")(function* (
  { target, tokenUrl }: Pick<WorkloadIdentitySettings, "target" | "tokenUrl">,
  identityToken: Redacted.Redacted,
): Effect.fn.Return<ExchangedToken, WorkloadIdentityError, HttpTransport> {
  const origin = new URL(tokenUrl).origin;
  const attempt = Effect.flatMap(Clock.currentTimeMillis, (sentAtMs) =>
    Effect.flatMap(send(target, tokenUrl, identityToken), (response) =>
      readResponse(target, response, origin, sentAtMs),
    ),
  );
  return yield* Effect.retry(attempt, { schedule: retries, while: mayPassSoon });
});

const mayPassSoon = (error: WorkloadIdentityError): boolean => {
  if (error._tag === "WorkloadIdentityUnavailable") return error.remedy === "retry";
  return (
    error._tag === "WorkloadIdentityRejected" &&
    error.mayPass &&
    (error.retryAfterMs ?? 0) <= maxRetryAfterMs
  );
};

const retries = retryPauses((error: unknown) =>
  error instanceof WorkloadIdentityRejected ? error.retryAfterMs : undefined,
);

const send = Effect.fnUntraced(function* (
  target: WorkloadTarget,
  url: string,
  identityToken: Redacted.Redacted,
): Effect.fn.Return<HttpResponse, WorkloadIdentityError, HttpTransport> {
  const transport = yield* HttpTransport;
  const { body, contentType } = requestOf(target, Redacted.value(identityToken));
  return yield* transport
    .request({
      method: "POST",
      url,
      headers: { accept: "application/json", "content-type": contentType },
      body: Redacted.make(body, { label: "token exchange" }),
      timeoutMs: requestTimeoutMs,
      followRedirects: false,
    })
    .pipe(Effect.mapError((error) => unavailable(new URL(url).origin, error)));
});

const requestOf = (target: WorkloadTarget, identityToken: string) => {
  if (target._tag === "Workspace") {
    const form = new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: identityToken,
      federation_rule_id: target.federationRuleId,
    });
    if (target.context !== undefined) form.set("workload_identity_context", target.context);
    return { body: form.toString(), contentType: "application/x-www-form-urlencoded" };
  }
  return {
    body: JSON.stringify({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      subject_token: identityToken,
      identity_provider_id: target.identityProviderId,
      service_account_id: target.serviceAccountId,
    }),
    contentType: "application/json",
  };
};

const unavailable = (origin: string, error: HttpTransportError): WorkloadIdentityUnavailable => {
  const { hint, message: reason } = error;
  const remedy =
    isTransientHttpError(error) && error.remedy !== "fixEnvironment" ? "retry" : error.remedy;
  return new WorkloadIdentityUnavailable({ origin, reason, hint: `${reason}. ${hint}`, remedy });
};

const readResponse = (
  target: WorkloadTarget,
  response: HttpResponse,
  origin: string,
  sentAtMs: number,
): Effect.Effect<ExchangedToken, WorkloadIdentityError> =>
  Effect.flatMap(
    Clock.currentTimeMillis,
    (nowMs): Effect.Effect<ExchangedToken, WorkloadIdentityError> => {
      if (!isSuccess(response)) {
        const retryAfterMs = parseRetryAfterMs(response.headers["retry-after"], nowMs);
        const { status } = response;
        return Effect.fail(new WorkloadIdentityRejected(compact({ status, origin, retryAfterMs })));
      }
      const read =
        target._tag === "Workspace"
          ? readWorkspaceToken(response.body, sentAtMs)
          : readApiToken(response.body, sentAtMs);
      return typeof read === "string"
        ? Effect.fail(new WorkloadIdentityResponseInvalid({ origin, reason: read }))
        : Effect.succeed(read);
    },
  );

const text = z.string().check(z.trim(), z.minLength(1));
const common = {
  access_token: text,
  token_type: z.string().check(z.regex(/^bearer$/i)),
  issued_token_type: z.literal("urn:ietf:params:oauth:token-type:access_token"),
};

const WorkspaceToken = z.object({
  ...common,
  expires_in: z.int().check(z.gte(1), z.lte(maxLifetimeSeconds)),
  scope: text,
  user_id: text,
  chatgpt_account_id: text,
  chatgpt_account_user_id: text,
  chatgpt_plan_type: z.nullish(z.string()),
});

/** The token, or what is wrong with the response. */
const readWorkspaceToken = (body: string, sentAtMs: number): ExchangedToken | string => {
  const parsed = parseResponse(WorkspaceToken, body);
  if ("problem" in parsed) return parsed.problem;
  const token = parsed.value;
  const accessToken = Redacted.make(token.access_token, { label: "workload identity token" });
  const claims = decodeUnverifiedClaims(accessToken);
  if (claims === undefined) return "access_token is not a JWT";
  if (claims.userId !== token.user_id) return "access_token belongs to another user than user_id";
  const { chatgpt_account_id: accountId } = token;
  if (claims.accountId !== undefined && claims.accountId !== accountId)
    return "access_token belongs to another account than chatgpt_account_id";
  const plan = token.chatgpt_plan_type ?? undefined;
  const account: Account = compact({
    accountId,
    userId: token.user_id,
    email: claims.email,
    planType: plan === undefined ? claims.planType : parsePlanType(plan),
    isFedrampAccount: claims.isFedrampAccount,
  });
  return {
    accessToken,
    account,
    obtainedAtMs: sentAtMs,
    expiresAtMs: sentAtMs + token.expires_in * 1000,
    principal: JSON.stringify([accountId, token.chatgpt_account_user_id, token.user_id]),
  };
};

const ApiToken = z.object({
  ...common,
  expires_at: z.int().check(z.gte(1)),
  expires_in: z.nullish(z.int().check(z.gte(1))),
});

/**
 * Returns the token, or what is wrong with the response. Clocks may differ, so `expires_in` is used if it is shorter. A
 * longer life than an hour counts as an hour: see docs/decisions/0116.
 */
const readApiToken = (body: string, sentAtMs: number): ExchangedToken | string => {
  const parsed = parseResponse(ApiToken, body);
  if ("problem" in parsed) return parsed.problem;
  const { access_token, expires_at, expires_in } = parsed.value;
  const lifetimeSeconds = Math.min(expires_in ?? maxLifetimeSeconds, maxLifetimeSeconds);
  const expiresAtMs = Math.min(expires_at * 1000, sentAtMs + lifetimeSeconds * 1000);
  if (expiresAtMs <= sentAtMs)
    return "the token has expired already by the clock of this machine (expires_at)";
  return {
    accessToken: Redacted.make(access_token, { label: "workload identity token" }),
    account: { isFedrampAccount: false },
    obtainedAtMs: sentAtMs,
    expiresAtMs,
    principal: "",
  };
};
