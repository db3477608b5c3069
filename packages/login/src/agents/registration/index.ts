import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Context from "effect/Context";
import * as Layer from "effect/Layer";
import type { AuthManager } from "../../manager/index.ts";
import type { CredentialStore } from "../../storage/index.ts";
import type { HomeLock } from "../../storage/lock/index.ts";
import type { IdentityRegistrationOptions, IdentityRegistrationShape } from "./core.ts";
import { makeIdentityRegistration } from "./make.ts";

export type { IdentityRegistrationOptions, IdentityRegistrationShape } from "./core.ts";

/**
 * Agent identities of people (docs/protocol.md §11): registers an agent for a ChatGPT sign-in, keeps its record
 * beside the tokens, and registers its tasks, with biscuits where the user has an access token and without where
 * there is none.
 */
export class IdentityRegistration extends Context.Service<
  IdentityRegistration,
  IdentityRegistrationShape
>()("@agent-auth/login/agents/registration") {}

/** Over the store, lock and transport that the manager uses as well. */
export const layer = (
  options: IdentityRegistrationOptions,
): Layer.Layer<
  IdentityRegistration,
  never,
  AuthManager | CredentialStore | HomeLock | HttpTransport
> => Layer.effect(IdentityRegistration, makeIdentityRegistration(options));
