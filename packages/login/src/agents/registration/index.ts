import type { AgentRegistrationDesign } from "@agent-auth/agent-identity/registration";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type * as Option from "effect/Option";
import { AuthManager, type AuthManagerOptions } from "../../manager/index.ts";
import type { CredentialStore } from "../../storage/index.ts";
import type { AgentIdentityCredential } from "../../credential/index.ts";
import type { LoginError } from "../../errors/index.ts";
import type { HomeLock } from "../../storage/lock/index.ts";
import { makeIdentityRegistration } from "./make.ts";

/** What a registration has to know beside the manager's options. */
export interface IdentityRegistrationOptions extends AuthManagerOptions {
  /** Whether a ChatGPT sign-in gets an agent identity. A credential that is nothing else has one regardless. */
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

/**
 * Agent identities of people (docs/protocol.md §11): registers an agent for a ChatGPT sign-in, keeps its record
 * beside the tokens, and registers its tasks, with biscuits where the user has an access token and without where
 * there is none.
 */
export class IdentityRegistration extends Context.Service<
  IdentityRegistration,
  {
    /**
     * The agent identity of whoever is signed in, with this process's task. A stored record is used again while its
     * workspace and user match; else it is dropped and an agent registered anew. `None`: signed out, a credential
     * that owns no identity, or not enabled.
     */
    readonly identity: Effect.Effect<Option.Option<AgentIdentityCredential>, LoginError>;
    /**
     * The same identity with the task for background requests, which is kept in the record and so shared with other
     * processes. `rejectedTaskId` is one that a 401 came back for; another one is registered in its place.
     */
    readonly backgroundIdentity: (call?: {
      readonly rejectedTaskId?: string;
    }) => Effect.Effect<Option.Option<AgentIdentityCredential>, LoginError>;
  }
>()("@agent-auth/login/agents/registration") {}

/** Over the store, lock and transport that the manager uses as well. */
export const layer = (
  options: IdentityRegistrationOptions,
): Layer.Layer<
  IdentityRegistration,
  never,
  AuthManager | CredentialStore | HomeLock | HttpTransport
> => Layer.effect(IdentityRegistration, makeIdentityRegistration(options));
