import {
  accountIdHeader,
  type AgentIdentityCredential,
  type Credential,
  fedrampHeader,
} from "@agent-auth/login/credential";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { isFedramp } from "../provider/base-url.ts";
import { checkHeader, residencyHeader } from "../provider/header-syntax.ts";
import { type HeaderInvalid, SigningFailed } from "../errors/index.ts";

const routingHeader = "x-openai-account-routing-override";

/** The headers that carry a credential (docs/protocol.md §8). The values are secrets in plain text. */
export interface AuthHeaders {
  readonly Authorization?: string;
  readonly [accountIdHeader]?: string;
  readonly [fedrampHeader]?: "true";
  readonly [routingHeader]?: string;
  readonly "x-openai-internal-codex-residency"?: string;
}

/** Lower-case names of the headers that carry a credential. A caller's own are replaced. */
export const authHeaderNames: ReadonlySet<string> = new Set([
  "authorization",
  accountIdHeader.toLowerCase(),
  fedrampHeader.toLowerCase(),
  routingHeader,
]);

/**
 * Returns the headers that the backend requires on requests of a credential's workspace; none if it was not asked. For
 * requests to the backend only.
 */
export const workspaceHeaders = (credential: Credential | null): AuthHeaders => {
  const workspace =
    credential === null || !("workspace" in credential) ? undefined : credential.workspace;
  const { residency, routingOverride } = workspace ?? {};
  return {
    ...(routingOverride !== undefined && { [routingHeader]: routingOverride }),
    ...(residency !== undefined && { [residencyHeader]: residency }),
  };
};

/**
 * Returns the headers that carry a credential (docs/protocol.md §8); none for `null`. `nowMs` is in milliseconds since the
 * epoch; agent assertions contain it in whole seconds, so the result is the same within a second. Fails if a value is not
 * a legal header value (RFC 9110 §5.5) or if the agent's key cannot sign.
 *
 * @example
 * ```ts
 * import { authHeaders } from "@agent-auth/model-provider/signing/headers";
 * import * as Redacted from "effect/Redacted";
 * import * as Result from "effect/Result";
 *
 * const headers = authHeaders(
 *   {
 *     _tag: "ApiKey",
 *     apiKey: Redacted.make("sk-1"),
 *     account: { isFedrampAccount: false },
 *     source: { _tag: "Environment", variable: "CODEX_API_KEY" },
 *   },
 *   Date.now(),
 * );
 * Result.getOrThrow(headers); // { Authorization: "Bearer sk-1" }
 * ```
 */
export const authHeaders = (
  credential: Credential | null,
  nowMs: number,
): Result.Result<AuthHeaders, HeaderInvalid | SigningFailed> => {
  if (credential === null) return Result.succeed({});
  switch (credential._tag) {
    case "AgentIdentity":
      return Result.flatMap(agentAssertion(credential, nowMs), (authorization) =>
        checked(credential, authorization, credential.record.accountId),
      );
    case "ApiKey":
      return checked(credential, bearer(credential.apiKey), undefined);
    case "Bearer":
      return checked(credential, bearer(credential.token), undefined);
    case "PersonalAccessToken":
      return checked(credential, bearer(credential.token), credential.account.accountId);
    default:
      return checked(credential, bearer(credential.accessToken), credential.account.accountId);
  }
};

const scheme = "Bearer ";

const bearer = (token: Redacted.Redacted): string => scheme + Redacted.value(token);

const agentAssertion = (
  credential: AgentIdentityCredential,
  nowMs: number,
): Result.Result<string, SigningFailed> =>
  Result.try({
    try: () => credential.signer.authorizationAt(nowMs),
    catch: (error) =>
      new SigningFailed({ reason: error instanceof Error ? error.name : typeof error }),
  });

const checked = (
  credential: Credential,
  authorization: string,
  accountId: string | undefined,
): Result.Result<AuthHeaders, HeaderInvalid> => {
  const token = authorization.startsWith(scheme)
    ? authorization.slice(scheme.length)
    : authorization;
  const illegal =
    checkHeader("Authorization", token, "credential") ??
    (accountId === undefined ? null : checkHeader(accountIdHeader, accountId, "credential"));
  if (illegal !== null) return Result.fail(illegal);
  return Result.succeed({
    Authorization: authorization,
    ...(accountId === undefined ? {} : { [accountIdHeader]: accountId }),
    ...(isFedramp(credential) ? { [fedrampHeader]: "true" as const } : {}),
  });
};
