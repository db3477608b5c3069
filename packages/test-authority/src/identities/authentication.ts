import type { Account, BearerToken } from "./accounts.ts";
import { checkAccountHeaders, type Credentials } from "@agent-auth/gateway/authentication";
import type { RequestRejected } from "@agent-auth/gateway/errors";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import { HttpError, unauthorized } from "../http/response.ts";
import { agentAccountOf, onAuthorityClock } from "./agents.ts";
import type { RecordedRequest } from "../steering/request-log.ts";
import type { AuthorityState } from "../state.ts";

/** The account that sent a request, and how it authenticated. */
export interface Caller {
  readonly account: Account;
  readonly by: BearerToken["kind"] | "agentAssertion";
}

const one = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "object" ? value[0] : value;

const credentialsOf = ({ headers }: RecordedRequest): Credentials => ({
  authorization: headers.authorization,
  accountId: one(headers["chatgpt-account-id"]),
  fedramp: one(headers["x-openai-fedramp"]),
});

const httpError = ({ message, reason, status }: RequestRejected): HttpError =>
  status === 401
    ? unauthorized(reason, message)
    : new HttpError(status, "server_error", reason, message);

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
  const wrong =
    kind === "apiKey"
      ? undefined
      : checkAccountHeaders(agentAccountOf(account), credentialsOf(request), true);
  if (wrong !== undefined) throw httpError(wrong);
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

/** The account of an agent's request. */
const byAssertion = async (state: AuthorityState, request: RecordedRequest): Promise<Caller> => {
  const { authentication } = state.agents;
  const result = await Effect.runPromise(
    onAuthorityClock(
      state.clock,
      Effect.result(authentication.authenticate(credentialsOf(request))),
    ),
  );
  if (Result.isFailure(result)) throw httpError(result.failure);
  const principal = result.success;
  const account =
    principal.kind === "agent" ? state.agents.accountOf(principal.agentRuntimeId) : undefined;
  if (account === undefined) throw unauthorized("unknown_agent", "the agent was revoked");
  return { account, by: "agentAssertion" };
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
  return byAssertion(state, request);
};
