import { describeAgent, registerAgent } from "@agent-auth/agent-identity/registration";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { generateAgentKey, type AgentKey } from "@agent-auth/agent-identity/keys";
import type { AgentIdentityRecord } from "@agent-auth/agent-identity/record";
import { normalizeBaseUrl } from "@agent-auth/agent-identity/urls";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { StoredDocument } from "../../storage/index.ts";
import { changeStored } from "../../manager/change-stored.ts";
import { readSignIn } from "../../manager/chatgpt.ts";
import type { ChatgptCredential } from "../../credential/index.ts";
import type { LoginError } from "../../errors/index.ts";
import type { HomeLockHeld } from "../../storage/lock/index.ts";
import {
  biscuitFor,
  insecureHttp,
  taskApi,
  type RegistrationDeps,
  type Requesting,
} from "./deps.ts";
import { belongsTo, newStoredIdentity, readIdentity } from "./stored-identity.ts";

/**
 * Returns the agent of a ChatGPT sign-in, the same for all processes. Under the home lock, the stored record is used if
 * it belongs to the user; else a new agent is registered and its record is stored with the tokens.
 */
export const ensureRecord = (
  deps: RegistrationDeps,
  credential: ChatgptCredential,
  accountId: string,
): Requesting<AgentIdentityRecord> =>
  changeStored(
    deps.lock,
    Effect.gen(function* () {
      const { stored } = yield* readSignIn(deps.store, credential);
      const { document } = stored;
      const known = Option.filter(yield* readIdentity(document), belongsTo(credential.account));
      if (Option.isSome(known)) return known.value;
      yield* deps.store.checkWritable;
      return yield* Effect.uninterruptible(registerAndStore(deps, stored, credential, accountId));
    }),
  );

/** Uninterruptible, because an agent that is registered but not stored would be lost. */
const registerAndStore = Effect.fnUntraced(function* (
  deps: RegistrationDeps,
  { document, version }: StoredDocument,
  credential: ChatgptCredential,
  accountId: string,
): Effect.fn.Return<AgentIdentityRecord, LoginError, HttpTransport | HomeLockHeld> {
  const key = yield* generateAgentKey;
  const agentRuntimeId = yield* registerKey(deps, credential, key);
  const nowMs = yield* Clock.currentTimeMillis;
  const account = { ...credential.account, accountId };
  const agentIdentity = newStoredIdentity({ account, agentRuntimeId, key, nowMs });
  yield* deps.store.save({ ...document, agentIdentity }, { expected: version });
  return yield* Effect.orDie(Effect.flatMap(readIdentity({ agentIdentity }), Effect.fromOption));
});

const registerKey = Effect.fnUntraced(function* (
  deps: RegistrationDeps,
  credential: ChatgptCredential,
  key: AgentKey,
): Effect.fn.Return<string, LoginError, HttpTransport> {
  const { agentVersion, config, design = "v1", sessionSource: source } = deps.options;
  const { platform = process.platform } = deps.options;
  const allow = insecureHttp(deps);
  const shared = {
    key,
    billOfMaterials: describeAgent({ agentVersion, source, platform }),
    ...allow,
  };
  if (design === "v2") {
    const { accessToken } = credential;
    return yield* registerAgent({ ...shared, design, accessToken, baseUrl: yield* taskApi(deps) });
  }
  const baseUrl = yield* normalizeBaseUrl(config.chatgptBaseUrl, allow);
  const biscuit = yield* biscuitFor(deps, credential, `${baseUrl}/v1/agent/register`);
  return yield* registerAgent({ ...shared, design, biscuit, baseUrl });
});
