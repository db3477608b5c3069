import * as z from "zod";
import { parseForm, parseJson } from "../http/body.ts";
import type { HttpResponse } from "../http/response.ts";
import { json, unauthorized } from "../http/response.ts";
import type { RequestContext } from "../http/router.ts";
import { randomToken } from "../identities/accounts.ts";
import { personalTokenClaims, signClaims } from "../identities/claims.ts";
import { findServiceAccount, verifyIdentityToken } from "../identities/workloads.ts";
import { epochSeconds } from "../steering/clock.ts";

const accessTokenType = "urn:ietf:params:oauth:token-type:access_token";
const noStore = { "cache-control": "no-store" };

const WorkspaceExchange = z.object({
  grant_type: z.literal("urn:ietf:params:oauth:grant-type:jwt-bearer"),
  assertion: z.string().min(1),
  federation_rule_id: z.string().min(1),
  workload_identity_context: z.string().optional(),
});

/** RFC 7523: an identity token for a token of the ChatGPT workspace that the federation rule names. */
export const exchangeForWorkspaceToken = async ({
  state,
  request,
}: RequestContext): Promise<HttpResponse> => {
  const given = parseForm(request, WorkspaceExchange);
  const rule = state.workloads.federationRules.get(given.federation_rule_id);
  if (rule === undefined) throw unauthorized("invalid_grant", "the federation rule is unknown");
  await verifyIdentityToken(state, given.assertion, rule);
  const { account } = rule;
  const nowMs = state.clock.nowMs();
  const expiresInSeconds = state.settings.workloadTokenSeconds;
  const accessToken = await signClaims(
    state.keys,
    personalTokenClaims({
      account,
      issuer: state.origin,
      audience: "https://api.openai.com/v1",
      clientId: given.federation_rule_id,
      nowMs,
      expiresInSeconds,
    }),
  );
  const expiresAtMs = nowMs + expiresInSeconds * 1000;
  state.directory.addBearer(accessToken, { kind: "accessToken", account, expiresAtMs });
  return json(
    200,
    {
      access_token: accessToken,
      issued_token_type: accessTokenType,
      token_type: "Bearer",
      expires_in: expiresInSeconds,
      scope: "api.responses",
      user_id: account.userId,
      chatgpt_account_id: account.accountId,
      chatgpt_account_user_id: `${account.userId}__${account.accountId}`,
      chatgpt_plan_type: account.planType,
    },
    noStore,
  );
};

const ApiExchange = z.object({
  grant_type: z.literal("urn:ietf:params:oauth:grant-type:token-exchange"),
  subject_token_type: z.literal("urn:ietf:params:oauth:token-type:jwt"),
  subject_token: z.string().min(1),
  identity_provider_id: z.string().min(1),
  service_account_id: z.string().min(1),
});

/** RFC 8693 with a JSON body: an identity token for a token of the API project that the service account belongs to. */
export const exchangeForApiToken = async ({
  state,
  request,
}: RequestContext): Promise<HttpResponse> => {
  const given = parseJson(request, ApiExchange);
  const rule = findServiceAccount(state, given.identity_provider_id, given.service_account_id);
  await verifyIdentityToken(state, given.subject_token, rule);
  const expiresInSeconds = state.settings.workloadTokenSeconds;
  const expiresAtMs = state.clock.nowMs() + expiresInSeconds * 1000;
  const accessToken = state.directory.addBearer(randomToken("sk-wif-"), {
    kind: "apiKey",
    account: rule.account,
    expiresAtMs,
  });
  return json(
    200,
    {
      access_token: accessToken,
      issued_token_type: accessTokenType,
      token_type: "Bearer",
      expires_in: expiresInSeconds,
      expires_at: epochSeconds(expiresAtMs),
    },
    noStore,
  );
};
