import { defaultAccountsApiBaseUrl } from "@agent-auth/agent-identity/urls";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { effectiveAuthMode, type AuthDocument } from "../storage/auth-json/index.ts";
import type {
  ApiKeyCredential,
  Credential,
  CredentialSource,
  PersonalAccessTokenCredential,
} from "../credential/index.ts";
import { CredentialUnusable, type LoginError } from "../errors/index.ts";
import type { LoginEnvironment } from "../config/environment.ts";
import type { AgentIdentities } from "../agents/identities.ts";
import type { Finding } from "./sources.ts";

// Whatever an API key does not need is imported where it is needed, so that a program that starts with one starts fast.

export interface LoadDeps {
  readonly environment: LoginEnvironment;
  /** Made at first use, then shared: keys, JWKS and tasks of this process. */
  readonly agents: Effect.Effect<AgentIdentities, LoginError>;
}

type Loaded<A extends Credential = Credential> = Effect.Effect<A, LoginError, HttpTransport>;

/** Turns what a source holds into a credential: checked, verified and looked up as its kind demands. */
export const loadFinding = (deps: LoadDeps, finding: Finding): Loaded => {
  switch (finding._tag) {
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

/** Personal access tokens are told from JWTs by their prefix. */
export const isPersonalAccessToken = (token: Redacted.Redacted): boolean =>
  Redacted.value(token).startsWith("at-");

const loadDocument = (deps: LoadDeps, document: AuthDocument, source: CredentialSource): Loaded => {
  const unusable = (reason: string) => Effect.fail(new CredentialUnusable({ source, reason }));
  const { agentIdentity, openaiApiKey, personalAccessToken, tokens } = document;
  switch (effectiveAuthMode(document)) {
    case "apikey":
      return openaiApiKey === undefined
        ? unusable("auth_mode is apikey, but OPENAI_API_KEY holds none")
        : apiKeyCredential(openaiApiKey, source);
    case "personalAccessToken":
      return personalAccessToken === undefined
        ? unusable("auth_mode is personalAccessToken, but personal_access_token holds none")
        : loadPersonalAccessToken(deps, personalAccessToken, source);
    case "agentIdentity":
      if (agentIdentity === undefined) {
        return unusable("auth_mode is agentIdentity, but agent_identity holds none");
      }
      return agentIdentity._tag === "Record"
        ? Effect.flatMap(deps.agents, (agents) => agents.fromRecord(agentIdentity, source))
        : loadAgentJwt(deps, agentIdentity.jwt, source);
    case "chatgptAuthTokens":
      return tokens === undefined
        ? unusable("it holds neither tokens nor an agent identity")
        : Effect.flatMap(chatgpt, (it) => it.storedExternalCredential(tokens, source));
    case "chatgpt":
      return tokens === undefined
        ? unusable("it holds neither an API key, nor tokens, nor an agent identity")
        : Effect.flatMap(chatgpt, (it) => it.chatgptCredential(document, tokens, source));
  }
};

const chatgpt = Effect.promise(() => import("./chatgpt-credential.ts"));

/** An API key as it is; nobody has checked it. Fails where it is empty. */
export const apiKeyCredential = (
  apiKey: Redacted.Redacted,
  source: CredentialSource,
): Effect.Effect<ApiKeyCredential, CredentialUnusable> =>
  Redacted.value(apiKey).trim() === ""
    ? Effect.fail(new CredentialUnusable({ source, reason: "the API key is empty" }))
    : Effect.succeed({ _tag: "ApiKey", apiKey, account: { isFedrampAccount: false }, source });

const loadAgentJwt = (deps: LoadDeps, jwt: Redacted.Redacted, source: CredentialSource): Loaded =>
  Effect.flatMap(deps.agents, (agents) => agents.fromJwt(jwt, source));

/** Asks the accounts API whose token it is. */
export const loadPersonalAccessToken = Effect.fnUntraced(function* (
  deps: Pick<LoadDeps, "environment">,
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
