import { AuthManager } from "@agent-auth/login/manager";
import type {
  AgentIdentityCredential,
  Credential,
  CredentialSource,
} from "@agent-auth/login/credential";
import { CredentialStore } from "@agent-auth/login/storage";
import { NotSignedIn } from "@agent-auth/login/errors";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type * as Redacted from "effect/Redacted";
import { CliError } from "../../errors/cli-error.ts";
import { managerLayer, type Session, storeLayer } from "../../session.ts";

/** A credential in the form that another program reads from its environment. */
export interface ExportedCredential {
  readonly variable: "CODEX_API_KEY" | "CODEX_ACCESS_TOKEN";
  readonly secret: Redacted.Redacted;
  readonly source: CredentialSource;
}

/** The current credential, loaded and verified as for a request, in a form that fits into a variable. */
export const exportableCredential = Effect.fnUntraced(function* (session: Session) {
  const current = yield* AuthManager.use((manager) => manager.current).pipe(
    Effect.provide(managerLayer(session, "requests")),
  );
  if (Option.isNone(current)) return yield* new NotSignedIn();
  const exported = yield* exportOf(current.value, session);
  const { source } = current.value;
  return exported === null ? yield* notExportable(current.value) : { ...exported, source };
});

const exportOf = (credential: Credential, session: Session) => {
  switch (credential._tag) {
    case "ApiKey":
      return Effect.succeed(inVariable("CODEX_API_KEY", credential.apiKey));
    case "Chatgpt":
    case "ExternalChatgpt":
      return Effect.succeed(inVariable("CODEX_ACCESS_TOKEN", credential.accessToken));
    case "WorkloadIdentity":
      return Effect.succeed(
        inVariable(
          credential.backend === "api" ? "CODEX_API_KEY" : "CODEX_ACCESS_TOKEN",
          credential.accessToken,
        ),
      );
    case "PersonalAccessToken":
    case "Bearer":
      return Effect.succeed(inVariable("CODEX_ACCESS_TOKEN", credential.token));
    case "AgentIdentity":
      return agentJwt(credential, session).pipe(
        Effect.map((jwt) => (jwt === undefined ? null : inVariable("CODEX_ACCESS_TOKEN", jwt))),
      );
  }
};

const inVariable = (
  variable: ExportedCredential["variable"],
  secret: Redacted.Redacted,
): Omit<ExportedCredential, "source"> => ({ variable, secret });

/** The JWT of an identity; a stored record has none. */
const agentJwt = (credential: AgentIdentityCredential, session: Session) => {
  const { source } = credential;
  const { environment } = session;
  if (source._tag === "Environment") {
    const { agentIdentity, accessToken } = environment;
    return Effect.succeed(source.variable === "CODEX_AGENT_IDENTITY" ? agentIdentity : accessToken);
  }
  return CredentialStore.use((service) => service.load).pipe(
    Effect.provide(storeLayer(session)),
    Effect.map((stored) => {
      const identity = Option.getOrUndefined(stored)?.document.agentIdentity;
      return identity?._tag === "Jwt" ? identity.jwt : undefined;
    }),
  );
};

const notExportable = (credential: Credential) =>
  new CliError({
    code: "CLI_CREDENTIAL_NOT_EXPORTABLE",
    message: `a credential of kind ${credential._tag} stored as a record does not fit into a variable`,
    hint: "Let the program send its requests through a proxy. Run: agent-auth proxy",
  });
