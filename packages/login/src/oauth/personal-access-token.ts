import { HttpTransport } from "@agent-auth/agent-identity/http";
import { shortTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import { parsePlanType } from "@agent-auth/agent-identity/record/plan";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import type { Account } from "../credential/index.ts";
import {
  PersonalAccessTokenLookupFailed,
  PersonalAccessTokenRejected,
} from "../errors/credential.ts";
import { compact } from "../internal/compact.ts";
import { isSuccess, parseResponse } from "./request.ts";

/**
 * Asks the accounts API for the account of a personal access token (docs/protocol.md §5). Sends one request, with a
 * timeout of 10 s and no retry. Fails with `PersonalAccessTokenRejected` for status 401 and 403, and with
 * `PersonalAccessTokenLookupFailed` for everything else.
 */
export const lookUpPersonalAccessToken = Effect.fn("login.lookUpPersonalAccessToken")(function* (
  token: Redacted.Redacted,
  accountsApiBaseUrl: string,
): Effect.fn.Return<
  Account,
  PersonalAccessTokenRejected | PersonalAccessTokenLookupFailed,
  HttpTransport
> {
  const transport = yield* HttpTransport;
  const response = yield* transport
    .request({
      method: "GET",
      url: `${accountsApiBaseUrl.replace(/\/+$/, "")}/v1/user-auth-credential/whoami`,
      headers: {
        accept: "application/json",
        authorization: Redacted.make(`Bearer ${Redacted.value(token)}`, { label: "authorization" }),
      },
      timeoutMs: shortTimeoutMs,
    })
    .pipe(
      Effect.mapError(
        ({ hint, message, remedy }) =>
          new PersonalAccessTokenLookupFailed({ reason: message, hint, remedy }),
      ),
    );
  const { body, status } = response;
  if (status === 401 || status === 403) return yield* new PersonalAccessTokenRejected({ status });
  if (!isSuccess(response)) {
    const reason = `the accounts API responded with status ${status}`;
    return yield* new PersonalAccessTokenLookupFailed({ status, reason });
  }
  const parsed = parseResponse(WhoamiResponse, body);
  return "value" in parsed
    ? accountOfWhoami(parsed.value)
    : yield* new PersonalAccessTokenLookupFailed({
        status,
        reason: `unusable response of the accounts API: ${parsed.problem}`,
      });
});

const text = z.nullish(z.string().check(z.minLength(1)));
const WhoamiResponse = z.object({
  email: text,
  chatgpt_user_id: text,
  chatgpt_account_id: z.string().check(z.minLength(1)),
  chatgpt_plan_type: text,
  chatgpt_account_is_fedramp: z.nullish(z.boolean()),
});

const accountOfWhoami = (response: z.infer<typeof WhoamiResponse>): Account => {
  const plan = response.chatgpt_plan_type ?? undefined;
  return compact({
    accountId: response.chatgpt_account_id,
    userId: response.chatgpt_user_id ?? undefined,
    email: response.email ?? undefined,
    planType: plan === undefined ? undefined : parsePlanType(plan),
    isFedrampAccount: response.chatgpt_account_is_fedramp ?? false,
  });
};
