import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { importAgentKey } from "@agent-auth/agent-identity/keys";
import type { AgentIdentityRecord } from "@agent-auth/agent-identity/record";
import type { AgentTaskIdentity } from "@agent-auth/agent-identity/tasks";
import { taskRegistrationUrl } from "@agent-auth/agent-identity/urls";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { accountOfAgent } from "../identities.ts";
import type {
  AgentIdentityCredential,
  ChatgptCredential,
  CredentialSource,
} from "../../credential/index.ts";
import type { LoginError } from "../../errors/index.ts";
import { biscuitFor, taskApi, type RegistrationDeps } from "./deps.ts";
import { ensureRecord } from "./register.ts";

/** An existing agent, its source, and how its tasks are registered. */
export interface Agent {
  readonly record: AgentIdentityRecord;
  readonly identity: AgentTaskIdentity;
  readonly form: AgentIdentityCredential["form"];
  readonly source: CredentialSource;
}

/**
 * Returns the agent of the current sign-in. An agent identity is an agent itself. A ChatGPT sign-in has the agent that
 * is stored with it, or a new one, if registration is enabled. Other credentials have none.
 */
export const currentAgent = Effect.fnUntraced(function* (
  deps: RegistrationDeps,
): Effect.fn.Return<Agent | undefined, LoginError, HttpTransport> {
  const current = Option.getOrUndefined(yield* deps.manager.current);
  if (current?._tag === "AgentIdentity") return yield* agentAlone(deps, current);
  const accountId = current?.account.accountId;
  const isOffered = current?._tag === "Chatgpt" && accountId !== undefined && deps.options.enabled;
  return isOffered ? yield* agentOfUser(deps, current, accountId) : undefined;
});

/** There is no user access token, so no biscuit. */
const agentAlone = Effect.fnUntraced(function* (
  deps: RegistrationDeps,
  { form, record, source }: AgentIdentityCredential,
): Effect.fn.Return<Agent, LoginError> {
  const key = yield* importAgentKey(record.privateKey);
  return { record, form, source, identity: { record, key, taskApiBaseUrl: yield* taskApi(deps) } };
});

const agentOfUser = Effect.fnUntraced(function* (
  deps: RegistrationDeps,
  credential: ChatgptCredential,
  accountId: string,
): Effect.fn.Return<Agent, LoginError, HttpTransport> {
  const record = yield* ensureRecord(deps, credential, accountId);
  const taskApiBaseUrl = yield* taskApi(deps);
  const url = yield* taskRegistrationUrl(taskApiBaseUrl, record.agentRuntimeId);
  const key = yield* importAgentKey(record.privateKey);
  const biscuit = biscuitFor(deps, credential, url);
  const { source } = credential;
  return { record, form: "record", source, identity: { record, key, taskApiBaseUrl, biscuit } };
});

/** The agent as a credential that requests can be signed with. */
export const withTask = (agent: Agent, taskId: string): AgentIdentityCredential => {
  const { form, identity, record, source } = agent;
  const { agentRuntimeId } = record;
  const signer = makeAssertionSigner({ key: identity.key, agentRuntimeId, taskId });
  return { _tag: "AgentIdentity", form, record, account: accountOfAgent(record), signer, source };
};
