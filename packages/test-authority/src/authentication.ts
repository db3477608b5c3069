import * as z from "zod";
import type { Account, BearerToken } from "./accounts.ts";
import { isSignedBy } from "./agent-keys.ts";
import { unauthorized } from "./answer.ts";
import type { RecordedRequest } from "./request-log.ts";
import type { AuthorityState } from "./state.ts";

/** Who sent a request, and by what means. */
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

/** Whether a timestamp (RFC 3339, whole seconds, `Z`) lies within five minutes of the authority's clock. */
export const isFresh = (timestamp: string, nowMs: number): boolean =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(timestamp) &&
  Math.abs(Date.parse(timestamp) - nowMs) <= windowMs;

const Assertion = z.strictObject({
  agent_runtime_id: z.string().min(1),
  signature: z.base64(),
  task_id: z.string().min(1),
  timestamp: z.string(),
});

const parseAssertion = (token: string): z.infer<typeof Assertion> => {
  try {
    return Assertion.parse(JSON.parse(Buffer.from(token, "base64url").toString("utf8")));
  } catch {
    throw unauthorized("malformed_assertion", "the AgentAssertion cannot be read");
  }
};

const byAssertion = (state: AuthorityState, request: RecordedRequest, token: string): Caller => {
  const { agent_runtime_id, signature, task_id, timestamp } = parseAssertion(token);
  const agent = state.directory.agents.get(agent_runtime_id);
  if (agent === undefined)
    throw unauthorized("unknown_agent", `no agent ${agent_runtime_id} is registered`);
  if (!isFresh(timestamp, state.clock.nowMs()))
    throw unauthorized("stale_timestamp", "the assertion's timestamp is not within five minutes");
  const message = `${agent_runtime_id}:${task_id}:${timestamp}`;
  if (!isSignedBy(agent.publicKeyRaw, message, signature))
    throw unauthorized("bad_signature", "the assertion's signature is not the agent's");
  if (!agent.taskIds.has(task_id))
    throw unauthorized("unknown_task", `no task ${task_id} is registered for the agent`);
  checkAccountHeaders(request, agent.account);
  return { account: agent.account, by: "agentAssertion" };
};

/** A bearer token that is known, not revoked and not expired; a `Refusal` (401) otherwise. */
export const findBearer = (state: AuthorityState, token: string): BearerToken => {
  const bearer = state.directory.bearers.get(token);
  if (bearer === undefined || bearer.kind === "biscuit")
    throw unauthorized("invalid_api_key", "the bearer token is not known here");
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

/** The token of an `Authorization: Bearer` header; nothing about it is checked. */
export const bearerToken = (request: RecordedRequest): string => {
  const { scheme, token } = readAuthorization(request);
  if (scheme.toLowerCase() !== "bearer")
    throw unauthorized("unknown_scheme", "Authorization is not Bearer");
  return token;
};

/** The account behind a model request, or a `Refusal` (401) that says which part of the proof is wrong. */
export const authenticate = (state: AuthorityState, request: RecordedRequest): Caller => {
  const { scheme, token } = readAuthorization(request);
  if (scheme === "AgentAssertion") return byAssertion(state, request, token);
  if (scheme.toLowerCase() === "bearer") return byBearer(state, request, token);
  throw unauthorized("unknown_scheme", "Authorization is neither Bearer nor AgentAssertion");
};
