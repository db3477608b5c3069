import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Context from "effect/Context";
import * as Layer from "effect/Layer";
import type { AuthManager } from "../../manager/index.ts";
import type { CredentialStore } from "../../storage/index.ts";
import type { HomeLock } from "../../storage/lock/index.ts";
import type { IdentityRegistrationOptions, IdentityRegistrationShape } from "./deps.ts";
import { makeIdentityRegistration } from "./make.ts";

export type { IdentityRegistrationOptions, IdentityRegistrationShape } from "./deps.ts";

/**
 * Agent identities of users (docs/protocol.md §11): registers an agent for a ChatGPT sign-in, keeps its record
 * beside the tokens, and registers its tasks, with biscuits if the user has an access token and without if
 * there is none.
 *
 * @example
 * ```ts
 * import { IdentityRegistration } from "@agent-auth/login/agents/registration";
 * import * as Effect from "effect/Effect";
 * import * as Option from "effect/Option";
 *
 * const header = Effect.gen(function* () {
 *   const registration = yield* IdentityRegistration;
 *   const agent = yield* registration.identity; // None if signed out
 *   return Option.map(agent, ({ signer }) => signer.authorizationAt(Date.now()));
 * });
 * ```
 */
export class IdentityRegistration extends Context.Service<
  IdentityRegistration,
  IdentityRegistrationShape
>()("@agent-auth/login/agents/registration") {}

/**
 * Uses the same store, lock and transport as the manager.
 *
 * @example
 * ```ts
 * import { layer } from "@agent-auth/login/agents/registration";
 * import { loadConfig } from "@agent-auth/login/config";
 * import { parseEnvironment } from "@agent-auth/login/config/environment";
 * import { layer as httpClient } from "@agent-auth/login/http";
 * import { layer as authManager } from "@agent-auth/login/manager";
 * import { layer as storage } from "@agent-auth/login/storage/configured";
 * import * as Effect from "effect/Effect";
 * import * as Layer from "effect/Layer";
 *
 * const environment = parseEnvironment({}, { homeDir: "/home/ada" });
 * const config = await Effect.runPromise(loadConfig(environment));
 * const options = { environment, config, environmentCredentials: true };
 * const registration = layer({
 *   ...options,
 *   enabled: true,
 *   agentVersion: "1.0.0",
 *   sessionSource: "exec",
 * }).pipe(
 *   Layer.provide(authManager(options)),
 *   Layer.provide(storage({ mode: "file", codexHome: environment.codexHome })),
 *   Layer.provide(httpClient(environment)),
 * );
 * ```
 */
export const layer = (
  options: IdentityRegistrationOptions,
): Layer.Layer<
  IdentityRegistration,
  never,
  AuthManager | CredentialStore | HomeLock | HttpTransport
> => Layer.effect(IdentityRegistration, makeIdentityRegistration(options));
