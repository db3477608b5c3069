import type { AgentRegistrationDesign } from "@agent-auth/agent-identity/registration";
import { mintBiscuit } from "@agent-auth/agent-identity/registration/biscuit";
import { taskApiBaseUrl } from "@agent-auth/agent-identity/urls";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import type * as Effect from "effect/Effect";
import type * as Option from "effect/Option";
import type { AuthManager, AuthManagerOptions } from "../../manager/index.ts";
import type { CredentialStore } from "../../storage/index.ts";
import type { AgentIdentityCredential, ChatgptCredential } from "../../credential/index.ts";
import type { LoginError } from "../../errors/index.ts";
import type { HomeLock } from "../../storage/lock/index.ts";
import { compact } from "../../internal/compact.ts";

/** The options of a registration in addition to the manager's. */
export interface IdentityRegistrationOptions extends AuthManagerOptions {
  /**
   * Whether a ChatGPT sign-in gets an agent identity. A credential that consists of an agent identity alone has one
   * regardless.
   */
  readonly enabled: boolean;
  /** How the agent is registered: by biscuit (`v1`, the default) or by access token (`v2`). */
  readonly design?: AgentRegistrationDesign["design"];
  /** Version of the program that is the agent. */
  readonly agentVersion: string;
  /** Where the agent's session runs: `cli`, `exec`, `vscode`, … */
  readonly sessionSource: string;
  /** Default `process.platform`. */
  readonly platform?: string;
}

/** The service `IdentityRegistration`. */
export interface IdentityRegistrationShape {
  /**
   * The agent identity of the current sign-in, with this process's task. A stored record is used while its workspace
   * and user match; else it is dropped and a new agent is registered. `None` if signed out, if the credential has no
   * identity, or if registration is not enabled.
   */
  readonly identity: Effect.Effect<Option.Option<AgentIdentityCredential>, LoginError>;
  /**
   * The same identity with the task for background requests, which is kept in the record and so shared with other
   * processes. `rejectedTaskId` is a task that a server rejected with 401; a new one replaces it.
   */
  readonly backgroundIdentity: (call?: {
    readonly rejectedTaskId?: string;
  }) => Effect.Effect<Option.Option<AgentIdentityCredential>, LoginError>;
}

/** What the operations of one registration share. */
export interface RegistrationDeps {
  readonly options: IdentityRegistrationOptions;
  readonly manager: AuthManager["Service"];
  readonly store: CredentialStore["Service"];
  readonly lock: HomeLock["Service"];
}

export type Requesting<A> = Effect.Effect<A, LoginError, HttpTransport>;

/** The option `allowInsecureHttp`, for functions that take it. */
export const insecureHttp = ({ options }: RegistrationDeps) =>
  compact({ allowInsecureHttp: options.allowInsecureHttp });

/** The base of the API that registers tasks (docs/protocol.md §5). */
export const taskApi = (deps: RegistrationDeps) => {
  const { config, environment, taskApiBaseUrl: chosen } = deps.options;
  const override = chosen ?? environment.agentIdentityAuthApiBaseUrl;
  const from = compact({ chatgptBaseUrl: config.chatgptBaseUrl, override });
  return taskApiBaseUrl(from, insecureHttp(deps));
};

/** Mints a biscuit for one POST request of the signed-in user. */
export const biscuitFor = (
  deps: RegistrationDeps,
  { accessToken }: ChatgptCredential,
  originalUrl: string,
) =>
  mintBiscuit({
    baseUrl: deps.options.config.chatgptBaseUrl,
    accessToken,
    originalMethod: "POST",
    originalUrl,
    ...insecureHttp(deps),
  });
