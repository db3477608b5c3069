import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type * as Redacted from "effect/Redacted";
import { effectiveAuthMode, type AuthDocument } from "../storage/auth-json/index.ts";
import type { CredentialStore, StoredDocument } from "../storage/index.ts";
import type { CredentialSource } from "../credential/index.ts";
import type { ExternalProviderFailed, StoreError } from "../errors/index.ts";
import type { AuthManagerOptions, ExternalTokens } from "./types.ts";

/** Something that a source holds. Nothing in it has been checked yet. */
export type Finding =
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
  /** A JWT or a personal access token, told by its shape. */
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
  | {
      readonly _tag: "Document";
      readonly document: AuthDocument;
      readonly source: CredentialSource;
    };

/** One place to look. `None`: nothing there, ask the next. An error: something is there and broken, so stop. */
export type Source = Effect.Effect<Option.Option<Finding>, StoreError | ExternalProviderFailed>;

export interface SourceDeps {
  readonly options: Pick<AuthManagerOptions, "environment" | "environmentCredentials">;
  /** The configured store. */
  readonly store: CredentialStore["Service"];
  /** Process memory; the same as `store` where that is what is configured. */
  readonly ephemeral: CredentialStore["Service"];
  /** Tokens of the external provider, asked for where they are not known yet; `None` without a provider. */
  readonly external: Source;
}

/** Every source, in the order of docs/protocol.md §4. */
export const sourcesInOrder = (deps: SourceDeps): ReadonlyArray<Source> => {
  const { environment, environmentCredentials } = deps.options;
  const { apiKey, agentIdentity, accessToken } = environment;
  const whereEnabled = (source: Source): Source => (environmentCredentials ? source : nothing);
  return [
    whereEnabled(
      present(apiKey, (apiKey) => ({ _tag: "ApiKey", apiKey, source: variable("CODEX_API_KEY") })),
    ),
    whereEnabled(
      present(agentIdentity, (jwt) => ({
        _tag: "AgentJwt",
        jwt,
        source: variable("CODEX_AGENT_IDENTITY"),
      })),
    ),
    deps.external,
    inMemory(deps),
    present(accessToken, (token) => ({
      _tag: "AccessToken",
      token,
      source: variable("CODEX_ACCESS_TOKEN"),
    })),
    isStoreInMemory(deps) ? nothing : Effect.map(deps.store.load, Option.map(asFinding)),
  ];
};

/** The first source that holds anything decides; a broken one ends the search with its own error. */
export const findCredential = Effect.fnUntraced(function* (sources: ReadonlyArray<Source>) {
  for (const source of sources) {
    const finding = yield* source;
    if (Option.isSome(finding)) return finding;
  }
  return Option.none<Finding>();
});

/** Whether what is in memory, external tokens included, is used instead of `CODEX_ACCESS_TOKEN`. */
export const isMemoryInUse = (
  deps: Pick<SourceDeps, "store" | "ephemeral">,
): Effect.Effect<boolean, StoreError | ExternalProviderFailed> =>
  Effect.map(inMemory(deps), Option.isSome);

const nothing: Source = Effect.succeedNone;

const present = <A>(value: A | undefined, toFinding: (value: A) => Finding): Source =>
  value === undefined ? nothing : Effect.succeedSome(toFinding(value));

type Variable = Extract<CredentialSource, { readonly _tag: "Environment" }>["variable"];

const variable = (name: Variable): CredentialSource => ({ _tag: "Environment", variable: name });

const asFinding = (stored: StoredDocument): Finding => ({ _tag: "Document", ...stored });

/** Whether process memory is the configured store, which then has its turn before `CODEX_ACCESS_TOKEN`, not after. */
export const isStoreInMemory = (deps: Pick<SourceDeps, "store" | "ephemeral">): boolean =>
  deps.ephemeral === deps.store;

/** Beside another store, only external tokens are looked for here. */
const inMemory = (deps: Pick<SourceDeps, "store" | "ephemeral">): Source =>
  Effect.map(deps.ephemeral.load, (stored) =>
    stored.pipe(
      Option.filter(
        ({ document }) =>
          isStoreInMemory(deps) || effectiveAuthMode(document) === "chatgptAuthTokens",
      ),
      Option.map(asFinding),
    ),
  );
