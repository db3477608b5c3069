import type { Account, BearerToken } from "./accounts.ts";
import { unauthorized } from "../http/response.ts";
import { authenticateAssertion } from "./assertion-authentication.ts";
import type { RecordedRequest } from "../steering/request-log.ts";
import type { AuthorityState } from "../state.ts";

/** The account that sent a request, and how it authenticated. */
export interface Caller {
  readonly account: Account;
  readonly by: BearerToken["kind"] | "agentAssertion";
}

const windowMs = 5 * 60 * 1000;

const one = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "object" ? value[0] : value;

const checkAccountHeaders = (request: RecordedRequest, account: Account): void => {
  const given = one(request.headers["chatgpt-account-id"]);
  if (given === undefined)
    throw unauthorized("missing_account_id", "the header ChatGPT-Account-ID is missing");
  if (given !== account.accountId)
    throw unauthorized("wrong_account_id", "ChatGPT-Account-ID is not the credential's account");
  if (account.isFedrampAccount && one(request.headers["x-openai-fedramp"]) !== "true")
    throw unauthorized(
      "missing_fedramp",
      "X-OpenAI-Fedramp: true is missing for a FedRAMP account",
    );
};

/** Whether a timestamp (RFC 3339, whole seconds, `Z`) is within five minutes of the authority's clock. */
export const isFresh = (timestamp: string, nowMs: number): boolean =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(timestamp) &&
  Math.abs(Date.parse(timestamp) - nowMs) <= windowMs;

/** A bearer token that is known, not revoked and not expired; otherwise throws `HttpError` (401). */
export const findBearer = (state: AuthorityState, token: string): BearerToken => {
  const bearer = state.directory.bearers.get(token);
  if (bearer === undefined || bearer.kind === "biscuit")
    throw unauthorized("invalid_api_key", "the bearer token is unknown");
  if (bearer.revoked) throw unauthorized("token_revoked", "the bearer token was revoked");
  if (bearer.expiresAtMs !== undefined && bearer.expiresAtMs <= state.clock.nowMs())
    throw unauthorized("token_expired", "the bearer token has expired");
  return bearer;
};

const byBearer = (state: AuthorityState, request: RecordedRequest, token: string): Caller => {
  const { account, kind } = findBearer(state, token);
  if (kind !== "apiKey") checkAccountHeaders(request, account);
  return { account, by: kind };
};

const readAuthorization = (request: RecordedRequest) => {
  const header = one(request.headers.authorization);
  if (header === undefined)
    throw unauthorized("missing_authorization", "the header Authorization is missing");
  const [scheme = "", token = "", ...rest] = header.split(" ");
  if (token === "" || rest.length > 0)
    throw unauthorized("malformed_authorization", "Authorization is not `<scheme> <credential>`");
  return { scheme, token };
};

/** The token of an `Authorization: Bearer` header, unchecked. */
export const bearerToken = (request: RecordedRequest): string => {
  const { scheme, token } = readAuthorization(request);
  if (scheme.toLowerCase() !== "bearer")
    throw unauthorized("unknown_scheme", "Authorization is not Bearer");
  return token;
};

/** The account of a model request. Throws `HttpError` (401) that says which part of the proof is wrong. */
export const authenticate = async (
  state: AuthorityState,
  request: RecordedRequest,
): Promise<Caller> => {
  const { scheme, token } = readAuthorization(request);
  if (scheme.toLowerCase() === "bearer") return byBearer(state, request, token);
  if (scheme !== "AgentAssertion")
    throw unauthorized("unknown_scheme", "Authorization is neither Bearer nor AgentAssertion");
  const { account } = await authenticateAssertion(state, `${scheme} ${token}`);
  checkAccountHeaders(request, account);
  return { account, by: "agentAssertion" };
};
