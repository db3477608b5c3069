import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { defaultAccountsApiBaseUrl } from "@agent-auth/agent-identity/urls";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import type { AgentIdentities } from "../agents/identities.ts";
import type { LoginEnvironment } from "../config/environment.ts";
import { checkRestrictions } from "../config/restrictions.ts";
import type {
  AgentIdentityCredential,
  ApiKeyCredential,
  Credential,
  CredentialSource,
  PersonalAccessTokenCredential,
} from "../credential/index.ts";
import {
  CredentialForbidden,
  CredentialUnusable,
  type ForbiddenByAdministrator,
  type LoginError,
} from "../errors/index.ts";
import {
  effectiveAuthMode,
  encodeAuthJson,
  type AuthDocument,
} from "../storage/auth-json/index.ts";
import type { HomeLockHeld } from "../storage/lock/index.ts";
import type { ManagerDeps, Operation } from "./deps.ts";
import { compact } from "../internal/compact.ts";
import { findCredential, type SourceContent } from "./sources.ts";
import type { MaybeCredential } from "./state.ts";

// What an API key does not need is imported when it is needed, so that a program that uses one starts fast.

/** Searches the sources, loads what was found, and enforces the restrictions. */
export const loadCredential = Effect.fn("AuthManager.load")(function* (
  deps: ManagerDeps,
): Effect.fn.Return<MaybeCredential, LoginError, HttpTransport> {
  const finding = yield* findCredential(deps);
  if (Option.isNone(finding)) return Option.none();
  const credential = yield* loadContent(
    { environment: deps.options.environment, agents: Effect.map(deps.agents, withTasks) },
    finding.value,
  );
  yield* Effect.annotateCurrentSpan({
    "credential.kind": credential._tag,
    "credential.source": credential.source._tag,
  });
  const document = finding.value._tag === "Document" ? finding.value.document : undefined;
  return Option.some(yield* enforceRestrictions(deps, credential, document));
});

/** Loads agent identities in one of two ways: with a registered task, or without. */
export interface AgentLoader<A> {
  readonly jwt: (jwt: Redacted.Redacted, source: CredentialSource) => Effect.Effect<A, LoginError>;
  readonly record: (
    stored: Parameters<AgentIdentities["fromRecord"]>[0],
    source: CredentialSource,
  ) => Effect.Effect<A, LoginError>;
}

/** Loads agent identities with their tasks. */
export const withTasks = (agents: AgentIdentities): AgentLoader<AgentIdentityCredential> => ({
  jwt: agents.fromJwt,
  record: agents.fromRecord,
});

export interface LoadDeps<A> {
  readonly environment: Pick<LoginEnvironment, "authApiBaseUrl">;
  readonly agents: Effect.Effect<AgentLoader<A>, LoginError>;
}

type NotAgent = Exclude<Credential, AgentIdentityCredential>;

/** Makes a credential from what a source holds: checked, verified and looked up as its kind requires. */
export const loadContent = <A>(
  deps: LoadDeps<A>,
  finding: SourceContent,
): Operation<A | NotAgent> => {
  switch (finding._tag) {
    case "WorkloadIdentity":
      return finding.load;
    case "ApiKey":
      return apiKeyCredential(finding.apiKey, finding.source);
    case "AgentJwt":
      return loadAgentJwt(deps, finding.jwt, finding.source);
    case "AccessToken":
      return isPersonalAccessToken(finding.token)
        ? loadPersonalAccessToken(deps, finding.token, finding.source)
        : loadAgentJwt(deps, finding.token, finding.source);
    case "External":
      return Effect.flatMap(chatgpt, ({ externalCredential }) =>
        externalCredential(finding.tokens, finding.source),
      );
    case "Document":
      return loadDocument(deps, finding.document, finding.source);
  }
};

const loadDocument = <A>(
  deps: LoadDeps<A>,
  document: AuthDocument,
  source: CredentialSource,
): Operation<A | NotAgent> => {
  const unusable = (reason: string) => Effect.fail(new CredentialUnusable({ source, reason }));
  const { agentIdentity, openaiApiKey, personalAccessToken, tokens } = document;
  switch (effectiveAuthMode(document)) {
    case "apikey":
      return openaiApiKey === undefined
        ? unusable("auth_mode is apikey, but OPENAI_API_KEY is missing")
        : apiKeyCredential(openaiApiKey, source);
    case "personalAccessToken":
      return personalAccessToken === undefined
        ? unusable("auth_mode is personalAccessToken, but personal_access_token is missing")
        : loadPersonalAccessToken(deps, personalAccessToken, source);
    case "agentIdentity":
      if (agentIdentity === undefined) {
        return unusable("auth_mode is agentIdentity, but agent_identity is missing");
      }
      return agentIdentity._tag === "Record"
        ? Effect.flatMap(deps.agents, (agents) => agents.record(agentIdentity, source))
        : loadAgentJwt(deps, agentIdentity.jwt, source);
    case "chatgptAuthTokens":
      return tokens === undefined
        ? unusable("it holds neither tokens nor an agent identity")
        : Effect.flatMap(chatgpt, (it) => it.storedExternalCredential(tokens, source));
    case "chatgpt":
      return tokens === undefined
        ? unusable("it holds neither an API key, nor tokens, nor an agent identity")
        : Effect.flatMap(chatgpt, (it) => it.chatgptCredential(document, tokens, source));
    case "headers":
      return unusable("auth_mode is headers: only the program that hosts Codex can use it");
    case "bedrockApiKey":
    case "bedrockAccessKeys":
      return unusable(
        "it holds an Amazon Bedrock credential: only Codex, with an Amazon Bedrock model provider, and AWS tools can use it",
      );
  }
};

const chatgpt = Effect.promise(() => import("./chatgpt.ts"));

/** Whether an access token is a personal access token, by its prefix; others are agent identity JWTs. */
export const isPersonalAccessToken = (token: Redacted.Redacted): boolean =>
  Redacted.value(token).startsWith("at-");

const apiKeyCredential = (
  apiKey: Redacted.Redacted,
  source: CredentialSource,
): Effect.Effect<ApiKeyCredential, CredentialUnusable> =>
  Redacted.value(apiKey).trim() === ""
    ? Effect.fail(new CredentialUnusable({ source, reason: "the API key is empty" }))
    : Effect.succeed({ _tag: "ApiKey", apiKey, account: { isFedrampAccount: false }, source });

const loadAgentJwt = <A>(
  deps: LoadDeps<A>,
  jwt: Redacted.Redacted,
  source: CredentialSource,
): Operation<A> => Effect.flatMap(deps.agents, (agents) => agents.jwt(jwt, source));

/** Looks up the owner of a personal access token with the accounts API. */
export const loadPersonalAccessToken = Effect.fnUntraced(function* (
  deps: Pick<LoadDeps<never>, "environment">,
  token: Redacted.Redacted,
  source: CredentialSource,
): Effect.fn.Return<PersonalAccessTokenCredential, LoginError, HttpTransport> {
  const { lookUpPersonalAccessToken } = yield* Effect.promise(
    () => import("../oauth/personal-access-token.ts"),
  );
  const base = deps.environment.authApiBaseUrl ?? defaultAccountsApiBaseUrl;
  const account = yield* lookUpPersonalAccessToken(token, base);
  return { _tag: "PersonalAccessToken", token, account, source };
});

/**
 * Returns an allowed credential. One that the user's configuration forbids is removed from every store and fails with
 * `CredentialForbidden`. One that a rule of an administrator forbids is kept, and one of the environment is refused
 * without touching anything on disk (docs/protocol.md §10). `loaded` is the document that the
 * credential was made of: if another process has replaced it since, what is stored now stays.
 */
export const enforceRestrictions = Effect.fnUntraced(function* <A extends Credential>(
  deps: ManagerDeps,
  credential: A,
  loaded?: AuthDocument,
): Effect.fn.Return<A, CredentialForbidden | ForbiddenByAdministrator> {
  return yield* checkRestrictions(deps.options.config, credential).pipe(
    Effect.as(credential),
    Effect.catchTag("CredentialForbidden", (forbidden) =>
      Effect.flatMap(removeForbidden(deps, credential, loaded), (loggedOut) =>
        Effect.fail(
          loggedOut ? new CredentialForbidden({ ...fieldsOf(forbidden), loggedOut }) : forbidden,
        ),
      ),
    ),
  );
});

const fieldsOf = ({ text, rule, source }: CredentialForbidden) => ({ text, rule, source });

const removeForbidden = (
  deps: ManagerDeps,
  credential: Credential,
  loaded: AuthDocument | undefined,
): Effect.Effect<boolean> => {
  const { _tag: source } = credential.source;
  if (source === "Environment" || source === "WorkloadIdentity") return Effect.succeed(false);
  const { load } = credential.source._tag === "Ephemeral" ? deps.ephemeral : deps.store;
  const remove = Effect.flatMap(load, (stored) =>
    loaded !== undefined &&
    Option.isSome(stored) &&
    encodeAuthJson(stored.value.document) !== encodeAuthJson(loaded)
      ? Effect.succeed(false)
      : removeEverywhere(deps, Option.getOrUndefined(stored)?.version),
  ).pipe(Effect.catchTag("StoreConflict", () => Effect.succeed(false)));
  return Effect.catch(deps.homeLock.withLock(remove), (error) =>
    Effect.as(
      Effect.logWarning(`forbidden credentials could not be removed: ${error.message}`),
      false,
    ),
  );
};

/**
 * Empties every store and drops the external provider. True if anything was removed. With `expected`, fails with
 * `StoreConflict` if the configured store holds another version.
 */
export const removeEverywhere = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  expected?: string,
): Effect.fn.Return<boolean, LoginError, HomeLockHeld> {
  const hadExternal = deps.external.isSet();
  deps.external.set(null);
  const fromMemory = deps.ephemeral === deps.store ? false : yield* deps.ephemeral.remove();
  return (yield* deps.store.remove(compact({ expected }))) || fromMemory || hadExternal;
});
