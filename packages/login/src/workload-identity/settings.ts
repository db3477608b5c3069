import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import type { WorkloadIdentityVariables } from "../config/environment.ts";
import type { IdentitySourceName } from "../credential/index.ts";
import type { Config, WorkloadIdentityConfig } from "../config/types.ts";
import { selectingVariables, workloadIdentityTable as table } from "../config/workload-identity.ts";
import { WorkloadIdentityInvalid } from "../errors/workload-identity.ts";
import { compact } from "../internal/compact.ts";
import { defaultIssuer } from "../oauth/authority.ts";

/** What the identity token is exchanged for. */
export type WorkloadTarget =
  /** A token of a ChatGPT workspace, for Codex's backend (RFC 7523). */
  | {
      readonly _tag: "Workspace";
      readonly federationRuleId: string;
      /** Opaque text for the server, sent as it is. */
      readonly context?: string;
    }
  /** A token of an API project, for the API platform (RFC 8693). */
  | {
      readonly _tag: "Api";
      readonly identityProviderId: string;
      readonly serviceAccountId: string;
    };

/** Where the identity token of this program comes from. */
export interface IdentitySource extends Pick<
  WorkloadIdentityConfig,
  "audience" | "clientId" | "endpoint" | "spiffeId" | "tokenFile" | "tokenVariable"
> {
  readonly name: IdentitySourceName;
}

/** A complete workload identity: source, target, and the token endpoint. */
export interface WorkloadIdentitySettings {
  readonly source: IdentitySource;
  readonly target: WorkloadTarget;
  readonly tokenUrl: string;
  /** The variable, or the key of `config.toml`, that selects it. */
  readonly setting: string;
  /** The files that supply any part of it. */
  readonly configFiles: ReadonlyArray<string>;
}

type Selected = Result.Result<WorkloadIdentitySettings | undefined, WorkloadIdentityInvalid>;

/**
 * Returns the workload identity that the environment selects (docs/protocol.md §14), else the one of the configuration,
 * else `undefined`. The variables select by presence: if one of them is set, even to nothing, what is missing or blank
 * is an error. Reads no file and sends nothing.
 *
 * @example
 * ```ts
 * import { loadConfig } from "@agent-auth/login/config";
 * import { parseEnvironment } from "@agent-auth/login/config/environment";
 * import { workloadIdentitySettings } from "@agent-auth/login/workload-identity";
 * import * as Effect from "effect/Effect";
 * import * as Result from "effect/Result";
 *
 * const environment = parseEnvironment({ CODEX_HOME: "/srv/codex", OPENAI_FEDERATION_RULE_ID: "" });
 * const config = await Effect.runPromise(loadConfig({ codexHome: { path: "/nonexistent", explicit: false } }));
 * const error = Result.getOrThrow(Result.flip(workloadIdentitySettings(environment, config)));
 * console.log(error.message); // workload identity variable OPENAI_FEDERATION_RULE_ID is invalid
 * ```
 */
export const workloadIdentitySettings = (
  environment: { readonly workloadIdentity?: WorkloadIdentityVariables },
  config: Pick<Config, "chatgptBaseUrl" | "workloadIdentity">,
): Selected =>
  Result.gen(function* () {
    const chosen =
      environment.workloadIdentity === undefined
        ? yield* fromConfig(config.workloadIdentity)
        : yield* fromVariables(environment.workloadIdentity);
    if (chosen === undefined) return undefined;
    const configFiles = config.workloadIdentity?.configFiles ?? [];
    return { ...chosen, tokenUrl: yield* tokenUrlOf(chosen.target, config), configFiles };
  });

type Chosen = Omit<WorkloadIdentitySettings, "tokenUrl" | "configFiles">;

const fromVariables = (
  variables: WorkloadIdentityVariables,
): Result.Result<Chosen, WorkloadIdentityInvalid> =>
  Result.gen(function* () {
    const federationRuleId = yield* required(variables, "OPENAI_FEDERATION_RULE_ID");
    const source = yield* sourceOf(variables);
    const context = variables["OPENAI_WORKLOAD_IDENTITY_CONTEXT"];
    return {
      source,
      target: {
        _tag: "Workspace" as const,
        federationRuleId,
        ...compact({ context: context === undefined ? undefined : Redacted.value(context) }),
      },
      setting:
        selectingVariables.find((name) => variables[name] !== undefined) ?? selectingVariables[0],
    };
  });

const spiffeVariables = ["OPENAI_SPIFFE_AUDIENCE", "OPENAI_SPIFFE_ID"] as const;

type Name = keyof WorkloadIdentityVariables;

const sourceOf = (
  variables: WorkloadIdentityVariables,
): Result.Result<IdentitySource, WorkloadIdentityInvalid> =>
  Result.gen(function* () {
    const kind = (yield* optional(variables, "OPENAI_IDENTITY_TOKEN_SOURCE")) ?? "file";
    if (kind === "spiffe") return yield* spiffeSource(variables);
    if (kind !== "file")
      return yield* invalid(
        "OPENAI_IDENTITY_TOKEN_SOURCE must be file or spiffe",
        "OPENAI_IDENTITY_TOKEN_SOURCE",
      );
    const stray = spiffeVariables.find((name) => variables[name] !== undefined);
    if (stray !== undefined)
      return yield* invalid(
        "SPIFFE settings require OPENAI_IDENTITY_TOKEN_SOURCE=spiffe",
        "OPENAI_IDENTITY_TOKEN_SOURCE",
      );
    const tokenFile = yield* required(variables, "OPENAI_IDENTITY_TOKEN_FILE");
    if (!isAbsolutePath(tokenFile))
      return yield* invalid(
        "OPENAI_IDENTITY_TOKEN_FILE must be an absolute path",
        "OPENAI_IDENTITY_TOKEN_FILE",
      );
    return { name: "file", tokenFile };
  });

const spiffeSource = (
  variables: WorkloadIdentityVariables,
): Result.Result<IdentitySource, WorkloadIdentityInvalid> =>
  Result.gen(function* () {
    if (variables.OPENAI_IDENTITY_TOKEN_FILE !== undefined)
      return yield* invalid(
        "SPIFFE authentication cannot also set OPENAI_IDENTITY_TOKEN_FILE",
        "OPENAI_IDENTITY_TOKEN_FILE",
      );
    const endpoint = yield* required(variables, "SPIFFE_ENDPOINT_SOCKET");
    const audience = yield* required(variables, "OPENAI_SPIFFE_AUDIENCE");
    const spiffeId = yield* optional(variables, "OPENAI_SPIFFE_ID");
    return { name: "spiffe", endpoint, audience, ...compact({ spiffeId }) };
  });

/** The trimmed value; a blank one is an error (docs/protocol.md §14), unlike for any other variable. */
const optional = (
  variables: WorkloadIdentityVariables,
  name: Name,
): Result.Result<string | undefined, WorkloadIdentityInvalid> => {
  const value = variables[name];
  if (value === undefined) return Result.succeed(undefined);
  const text = Redacted.value(value).trim();
  return text === ""
    ? invalid(`workload identity variable ${name} is invalid`, name)
    : Result.succeed(text);
};

const required = (variables: WorkloadIdentityVariables, name: Name) =>
  Result.flatMap(optional(variables, name), (text) =>
    text === undefined ? invalid(`workload identity requires ${name}`, name) : Result.succeed(text),
  );

const invalid = (text: string, setting: string) =>
  Result.fail(new WorkloadIdentityInvalid({ text, setting }));

const isAbsolutePath = (path: string): boolean =>
  process.platform === "win32" ? /^(?:[a-z]:)?[\\/]/i.test(path) : path.startsWith("/");

const fromConfig = (
  config: WorkloadIdentityConfig | undefined,
): Result.Result<Chosen | undefined, WorkloadIdentityInvalid> => {
  if (config?.source === undefined) return Result.succeed(undefined);
  const { context, federationRuleId, identityProviderId, serviceAccountId, source } = config;
  const chosen = (target: WorkloadTarget) =>
    Result.succeed({
      source: { ...options(config), name: source },
      target,
      setting: table,
    });
  if (federationRuleId !== undefined) {
    const other = identityProviderId ?? serviceAccountId;
    return other === undefined
      ? chosen({ _tag: "Workspace", federationRuleId, ...compact({ context }) })
      : invalid(
          `${table} has federation_rule_id (for a ChatGPT workspace) and a service account (for the API)`,
          `${table}.federation_rule_id`,
        );
  }
  if (identityProviderId === undefined || serviceAccountId === undefined) {
    const missing =
      identityProviderId === undefined && serviceAccountId === undefined
        ? "federation_rule_id, or identity_provider_id and service_account_id"
        : identityProviderId === undefined
          ? "identity_provider_id"
          : "service_account_id";
    return invalid(`${table} requires ${missing}`, table);
  }
  return chosen({ _tag: "Api", identityProviderId, serviceAccountId });
};

const options = ({
  audience,
  clientId,
  endpoint,
  spiffeId,
  tokenFile,
  tokenVariable,
}: WorkloadIdentityConfig) =>
  compact({ audience, clientId, endpoint, spiffeId, tokenFile, tokenVariable });

const productionTokenUrl = `${defaultIssuer}/oauth/token`;
const stagingTokenUrl = "https://auth.api.openai.org/oauth/token";

const tokenUrlByHost: ReadonlyMap<string, string> = new Map([
  ["https://chatgpt.com", productionTokenUrl],
  ["https://chat.openai.com", productionTokenUrl],
  ["https://chatgpt-staging.com", stagingTokenUrl],
]);

/** The bases for which Codex knows the token endpoint: a host of ChatGPT, bare or with one of these paths. */
const trustedBase = /^(https:\/\/[^/?#]+)(?:\/backend-api(?:\/codex)?|\/codex)?$/;

const tokenUrlOf = (
  target: WorkloadTarget,
  config: Pick<Config, "chatgptBaseUrl" | "workloadIdentity">,
): Result.Result<string, WorkloadIdentityInvalid> => {
  const own = config.workloadIdentity?.tokenUrl;
  if (own !== undefined)
    return isLoopbackUrl(own) || own.startsWith("https://")
      ? Result.succeed(own)
      : invalid(
          `${table}.token_url must be https, or http to a loopback host`,
          `${table}.token_url`,
        );
  if (target._tag === "Api") return Result.succeed(productionTokenUrl);
  const base = config.chatgptBaseUrl.trim().replace(/\/+$/, "");
  const known = tokenUrlByHost.get(trustedBase.exec(base)?.[1] ?? "");
  return known === undefined
    ? invalid(
        "workload identity auth supports only trusted production and staging app routing",
        `${table}.token_url`,
      )
    : Result.succeed(known);
};
