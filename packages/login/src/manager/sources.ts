import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type * as Redacted from "effect/Redacted";
import type { CredentialSource, WorkloadIdentityCredential } from "../credential/index.ts";
import type { ExternalProviderFailed, StoreError } from "../errors/index.ts";
import { effectiveAuthMode, type AuthDocument } from "../storage/auth-json/index.ts";
import type { StoredDocument } from "../storage/index.ts";
import type { ManagerDeps, Operation } from "./deps.ts";
import type { ExternalTokens } from "./types.ts";

/** What a source holds. Nothing in it has been checked yet. */
export type SourceContent =
  | {
      readonly _tag: "ApiKey";
      readonly apiKey: Redacted.Redacted;
      readonly source: CredentialSource;
    }
  | {
      readonly _tag: "AgentJwt";
      readonly jwt: Redacted.Redacted;
      readonly source: CredentialSource;
    }
  /** An agent identity JWT or a personal access token; the prefix tells which. */
  | {
      readonly _tag: "AccessToken";
      readonly token: Redacted.Redacted;
      readonly source: CredentialSource;
    }
  | {
      readonly _tag: "External";
      readonly tokens: ExternalTokens;
      readonly source: CredentialSource;
    }
  | { readonly _tag: "WorkloadIdentity"; readonly load: Operation<WorkloadIdentityCredential> }
  | {
      readonly _tag: "Document";
      readonly document: AuthDocument;
      readonly source: CredentialSource;
    };

/**
 * A place to look for a credential. `None` means that it has no credential, and the next source is tried. An error means
 * that its credential is broken or cannot be read, and the search ends.
 */
type Source = Effect.Effect<Option.Option<SourceContent>, StoreError | ExternalProviderFailed>;

type SourceDeps = Pick<
  ManagerDeps,
  "ephemeral" | "external" | "options" | "store" | "workloadIdentity"
>;

/** Returns the content of the first source that is not absent, in the order of docs/protocol.md §4. */
export const findCredential = Effect.fnUntraced(function* (deps: SourceDeps) {
  for (const source of sourcesInOrder(deps)) {
    const finding = yield* source;
    if (Option.isSome(finding)) return finding;
  }
  return Option.none<SourceContent>();
});

const sourcesInOrder = (deps: SourceDeps): ReadonlyArray<Source> => {
  const { environment, environmentCredentials } = deps.options;
  const { apiKey, agentIdentity, accessToken } = environment;
  const { workloadIdentity } = deps;
  const ifEnabled = (source: Source): Source => (environmentCredentials ? source : nothing);
  return [
    present(workloadIdentity, ({ credential: load }) => ({ _tag: "WorkloadIdentity", load })),
    ifEnabled(
      present(apiKey, (apiKey) => ({ _tag: "ApiKey", apiKey, source: variable("CODEX_API_KEY") })),
    ),
    ifEnabled(
      present(agentIdentity, (jwt) => ({
        _tag: "AgentJwt",
        jwt,
        source: variable("CODEX_AGENT_IDENTITY"),
      })),
    ),
    Effect.map(
      deps.external.tokens,
      Option.map(({ tokens, providerName: name }) => ({
        _tag: "External",
        tokens,
        source: { _tag: "External", name },
      })),
    ),
    fromMemory(deps),
    present(accessToken, (token) => ({
      _tag: "AccessToken",
      token,
      source: variable("CODEX_ACCESS_TOKEN"),
    })),
    isStoreInMemory(deps) ? nothing : Effect.map(deps.store.load, Option.map(asFinding)),
  ];
};

/** Whether memory, external tokens included, provides the credential instead of `CODEX_ACCESS_TOKEN`. */
export const isMemoryInUse = (
  deps: Pick<ManagerDeps, "ephemeral" | "store">,
): Effect.Effect<boolean, StoreError | ExternalProviderFailed> =>
  Effect.map(fromMemory(deps), Option.isSome);

const nothing: Source = Effect.succeedNone;

const present = <A>(value: A | undefined, toFinding: (value: A) => SourceContent): Source =>
  value === undefined ? nothing : Effect.succeedSome(toFinding(value));

type Variable = Extract<CredentialSource, { readonly _tag: "Environment" }>["variable"];

const variable = (name: Variable): CredentialSource => ({ _tag: "Environment", variable: name });

const asFinding = ({ document, source }: StoredDocument): SourceContent => ({
  _tag: "Document",
  document,
  source,
});

/** Whether memory is the configured store, which then comes before `CODEX_ACCESS_TOKEN`, not after it. */
export const isStoreInMemory = (deps: Pick<ManagerDeps, "ephemeral" | "store">): boolean =>
  deps.ephemeral === deps.store;

/** In addition to another store, memory holds external tokens only. */
const fromMemory = (deps: Pick<ManagerDeps, "ephemeral" | "store">): Source =>
  Effect.map(deps.ephemeral.load, (stored) =>
    stored.pipe(
      Option.filter(
        ({ document }) =>
          isStoreInMemory(deps) || effectiveAuthMode(document) === "chatgptAuthTokens",
      ),
      Option.map(asFinding),
    ),
  );
