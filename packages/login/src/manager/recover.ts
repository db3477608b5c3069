import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import {
  type AgentIdentityCredential,
  type Credential,
  type ExternalChatgptCredential,
  isSameAccount,
} from "../credential/index.ts";
import { type LoginError, RefreshAccountChanged } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import { fingerprint } from "../storage/fingerprint.ts";
import { askExternalAndAccept, ensureLoaded, refreshAndAccept } from "./current.ts";
import type { ManagerDeps } from "./deps.ts";
import { loadCredential } from "./load.ts";
import { replaceWorkloadToken } from "./replace-workload-token.ts";
import { isSameSecret, type MaybeCredential, secretOf } from "./state.ts";

/**
 * Replaces a credential that was rejected with a 401 (docs/protocol.md §9). A caller with a superseded credential gets
 * the newer one. Otherwise the store is read again. If it holds nothing newer, the next step depends on the kind of
 * credential: the sign-in is refreshed, a new task is registered, the external provider is asked, or the identity of
 * the program is exchanged again. API keys, bearer tokens and personal access tokens cannot be replaced.
 *
 * If a credential that was obtained in this way moments ago is also rejected, it is not replaced again for a while.
 */
export const recoverFrom = Effect.fn("AuthManager.recoverUnauthorized")(function* (
  deps: ManagerDeps,
  rejected: Credential,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  yield* Effect.annotateCurrentSpan({ "credential.kind": rejected._tag });
  const loaded = Option.getOrUndefined(yield* ensureLoaded(deps));
  if (loaded === undefined) return Option.none();
  if (!isSameSecret(loaded, rejected)) {
    return Option.filter(Option.some(loaded), canReplace(rejected));
  }
  switch (loaded._tag) {
    case "Chatgpt":
      return Option.some(yield* refreshAndAccept(deps, loaded, "unauthorized_recovery"));
    case "ExternalChatgpt":
      return yield* recoverExternal(deps, loaded);
    case "AgentIdentity":
      return yield* recoverAgent(deps, loaded);
    case "WorkloadIdentity":
      return Option.some(yield* replaceWorkloadToken(deps, loaded));
    case "ApiKey":
    case "Bearer":
    case "PersonalAccessToken":
      return Option.none();
  }
});

/** Returns the newer credential for a caller whose credential is superseded. */
export const supersededBy = (deps: ManagerDeps, rejected: Credential): MaybeCredential => {
  const state = deps.state.get();
  if (state._tag !== "Loaded") return Option.none();
  return Option.filter(
    state.credential,
    (current) => !isSameSecret(current, rejected) && canReplace(rejected)(current),
  );
};

/** Returns a key for the credential that a request carried, so that concurrent recoveries of it share one attempt. */
export const recoveryKey = (credential: Credential): string =>
  credential._tag === "AgentIdentity"
    ? `${credential.record.agentRuntimeId} ${fingerprint(credential.record.privateKey)} ${credential.signer.taskId}`
    : fingerprint(secretOf(credential));

/** A request is not repeated for another account, nor after an API key or a personal access token was rejected. */
const canReplace =
  (rejected: Credential) =>
  (current: Credential): boolean =>
    current._tag === rejected._tag &&
    current._tag !== "ApiKey" &&
    current._tag !== "PersonalAccessToken" &&
    isSameAccount(current.account, rejected.account);

const recoverExternal = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  rejected: ExternalChatgptCredential,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  if (!deps.external.isSet()) return yield* reloadOther(deps, rejected);
  yield* deps.obtained.refuseSoonAgain(rejected);
  const supplied = yield* askExternalAndAccept(deps, rejected);
  if (Option.isNone(supplied) || isSameSecret(supplied.value, rejected)) return Option.none();
  yield* deps.obtained.remember(supplied.value, rejected);
  if (canReplace(rejected)(supplied.value)) return supplied;
  return yield* new RefreshAccountChanged(
    compact({
      expectedAccountId: rejected.account.accountId,
      foundAccountId: supplied.value.account.accountId,
    }),
  );
});

const recoverAgent = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  rejected: AgentIdentityCredential,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const isStored = rejected.source._tag !== "Environment";
  const reloaded = isStored ? yield* reloadOther(deps, rejected) : Option.none();
  if (Option.isSome(reloaded)) return reloaded;
  yield* deps.obtained.refuseSoonAgain(rejected);
  const version = deps.state.version();
  const agents = yield* deps.agents;
  const fresh = yield* agents.withFreshTask(rejected);
  yield* deps.obtained.remember(fresh, rejected);
  deps.state.accept(Option.some(fresh), version);
  return Option.some(fresh);
});

/** Loads the credential again. It becomes current if it is another credential of the same kind and account. */
const reloadOther = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  rejected: Credential,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const version = deps.state.version();
  const found = Option.filter(
    yield* loadCredential(deps),
    (credential) => !isSameSecret(credential, rejected) && canReplace(rejected)(credential),
  );
  if (Option.isSome(found)) deps.state.accept(found, version);
  return found;
});

const WARN_AGAIN_MS = 60_000;

/**
 * Logs that a rejected credential could not be replaced: a caller sees only the 401, not the reason. The same error is
 * logged once a minute at most.
 */
export const makeRecoveryWarning = (): ((error: LoginError) => Effect.Effect<void>) => {
  let last: { readonly code: string; readonly atMs: number } | undefined;
  return (error) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      const isRepeated = last?.code === error.code && nowMs - last.atMs < WARN_AGAIN_MS;
      if (isRepeated) return Effect.void;
      last = { code: error.code, atMs: nowMs };
      return Effect.logWarning(
        `a server rejected the credential, and it could not be replaced: ${error.message}`,
      );
    });
};
