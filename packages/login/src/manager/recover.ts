import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import {
  type AgentIdentityCredential,
  type Credential,
  type ExternalChatgptCredential,
  isSameAccount,
} from "../credential/index.ts";
import { type LoginError, RefreshAccountChanged } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import { fingerprint } from "../storage/fingerprint.ts";
import { loadCredential, type Core, type MaybeCredential } from "./core.ts";
import { askExternalAndKeep, ensureLoaded, refreshAndKeep } from "./renew.ts";

/**
 * What a 401 leads to (docs/protocol.md §9): whoever comes with a superseded credential gets the newer one; else the
 * store is read again, and what it holds now is worth a retry where it differs; else the sign-in is refreshed, a
 * fresh task registered, the external provider asked. API keys and personal access tokens have nothing to offer. Runs
 * in the manager's turn.
 */
export const recoverFrom = Effect.fn("AuthManager.recoverUnauthorized")(function* (
  core: Core,
  rejected: Credential,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const loaded = Option.getOrUndefined(yield* ensureLoaded(core));
  if (loaded === undefined) return Option.none();
  if (!isSame(loaded, rejected)) return Option.filter(Option.some(loaded), canReplace(rejected));
  switch (loaded._tag) {
    case "Chatgpt":
      return Option.some(yield* refreshAndKeep(core, loaded, "unauthorized_recovery"));
    case "ExternalChatgpt":
      return yield* recoverExternal(core, loaded);
    case "AgentIdentity":
      return yield* recoverAgent(core, loaded);
    case "ApiKey":
    case "Bearer":
    case "PersonalAccessToken":
      return Option.none();
  }
});

/** The newer credential for a caller whose own is superseded, without waiting for anybody's turn. */
export const supersededBy = (core: Core, rejected: Credential): MaybeCredential => {
  const state = core.cell.state();
  if (state._tag !== "Loaded") return Option.none();
  return Option.filter(
    state.credential,
    (current) => !isSame(current, rejected) && canReplace(rejected)(current),
  );
};

/** Names what a request carried, so that concurrent recoveries from the same 401 are one. */
export const identify = (credential: Credential): string =>
  credential._tag === "AgentIdentity"
    ? `${credential.record.agentRuntimeId} ${fingerprint(credential.record.privateKey)} ${credential.signer.taskId}`
    : fingerprint(secretOf(credential));

const isSame = (a: Credential, b: Credential): boolean => {
  if (a === b) return true;
  if (a._tag === "AgentIdentity" || b._tag === "AgentIdentity") {
    return a._tag === b._tag && identify(a) === identify(b);
  }
  return a._tag === b._tag && Redacted.value(secretOf(a)) === Redacted.value(secretOf(b));
};

const secretOf = (credential: Exclude<Credential, AgentIdentityCredential>): Redacted.Redacted => {
  switch (credential._tag) {
    case "ApiKey":
      return credential.apiKey;
    case "Chatgpt":
    case "ExternalChatgpt":
      return credential.accessToken;
    case "PersonalAccessToken":
    case "Bearer":
      return credential.token;
  }
};

/** A request that was made for one account is not repeated for another, nor after an API key was refused. */
const canReplace =
  (rejected: Credential) =>
  (current: Credential): boolean =>
    current._tag === rejected._tag &&
    current._tag !== "ApiKey" &&
    current._tag !== "PersonalAccessToken" &&
    isSameAccount(current.account, rejected.account);

const recoverExternal = Effect.fnUntraced(function* (
  core: Core,
  rejected: ExternalChatgptCredential,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const renewed = core.external.isSet()
    ? yield* askExternalAndKeep(core, rejected)
    : yield* rereadStore(core, rejected);
  if (Option.isNone(renewed) || isSame(renewed.value, rejected)) return Option.none();
  if (canReplace(rejected)(renewed.value)) return renewed;
  return yield* new RefreshAccountChanged(
    compact({
      expectedAccountId: rejected.account.accountId,
      foundAccountId: renewed.value.account.accountId,
    }),
  );
});

const recoverAgent = Effect.fnUntraced(function* (
  core: Core,
  rejected: AgentIdentityCredential,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const isStored = rejected.source._tag !== "Environment";
  const reread = isStored ? yield* rereadStore(core, rejected) : Option.none();
  if (Option.isSome(reread)) return reread;
  const agents = yield* core.agents;
  const renewed = Option.some(yield* agents.withFreshTask(rejected));
  core.cell.accept(renewed);
  return renewed;
});

/** Makes current what the store holds now, if that is another credential of the same kind and account. */
const rereadStore = Effect.fnUntraced(function* (
  core: Core,
  rejected: Credential,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const found = Option.filter(
    yield* loadCredential(core),
    (credential) => !isSame(credential, rejected) && canReplace(rejected)(credential),
  );
  if (Option.isSome(found)) core.cell.accept(found);
  return found;
});
