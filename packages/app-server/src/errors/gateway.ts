import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

// Errors of the sign-in to the gateway of a model provider. The texts are those of Codex.

const refusals = {
  notUsed: {
    message: "The selected provider does not use gateway OAuth",
    hint: "Name a provider that has gateway_oauth in config.toml.",
  },
  inProgress: {
    message: "Gateway sign-in is already in progress",
    hint: "Wait for that sign-in, or cancel it with account/gatewayOAuth/cancel.",
  },
  noDeviceAuthorization: {
    message: "The gateway does not support device authorization",
    hint: "Sign in with the browser, or add device_authorization_url to gateway_oauth in config.toml.",
  },
} as const;

/**
 * A sign-in to a gateway cannot be started.
 *
 * @example
 * ```ts
 * import { GatewayLoginRefused } from "@agent-auth/app-server/errors";
 *
 * console.log(new GatewayLoginRefused({ reason: "inProgress" }).message); // Gateway sign-in is already in progress
 * ```
 */
export class GatewayLoginRefused extends Data.TaggedError("GatewayLoginRefused")<{
  readonly reason: keyof typeof refusals;
}> {
  readonly code = "APP_SERVER_GATEWAY_LOGIN_REFUSED";
  readonly remedy: Remedy = "fixInput";
  get hint(): string {
    return refusals[this.reason].hint;
  }
  override get message(): string {
    return refusals[this.reason].message;
  }
}

/**
 * The sign-in to a gateway failed, or could not be stored.
 *
 * @example
 * ```ts
 * import { GatewayLoginFailed } from "@agent-auth/app-server/errors";
 *
 * console.log(new GatewayLoginFailed({ hint: "Retry.", remedy: "retry" }).message); // Gateway sign-in failed; …
 * ```
 */
export class GatewayLoginFailed extends Data.TaggedError("GatewayLoginFailed")<{
  /** Those of the underlying error. */
  readonly hint: string;
  readonly remedy: Remedy;
}> {
  readonly code = "APP_SERVER_GATEWAY_LOGIN_FAILED";
  override get message(): string {
    return "Gateway sign-in failed; check the gateway configuration and credential store.";
  }
}

/**
 * The sign-in to a gateway was cancelled by a client.
 *
 * @example
 * ```ts
 * import { GatewayLoginCancelled } from "@agent-auth/app-server/errors";
 *
 * console.log(new GatewayLoginCancelled().message); // Gateway sign-in was canceled
 * ```
 */
export class GatewayLoginCancelled extends Data.TaggedError("GatewayLoginCancelled")<{}> {
  readonly code = "APP_SERVER_GATEWAY_LOGIN_CANCELLED";
  readonly remedy: Remedy = "signIn";
  readonly hint = "Sign in to the gateway again.";
  override get message(): string {
    return "Gateway sign-in was canceled";
  }
}

/**
 * A request names a model provider that is not configured.
 *
 * @example
 * ```ts
 * import { ModelProviderNotConfigured } from "@agent-auth/app-server/errors";
 *
 * console.log(new ModelProviderNotConfigured({ modelProvider: "gw" }).message); // This chat uses model provider “gw”, …
 * ```
 */
export class ModelProviderNotConfigured extends Data.TaggedError("ModelProviderNotConfigured")<{
  readonly modelProvider: string;
}> {
  readonly code = "APP_SERVER_MODEL_PROVIDER_NOT_CONFIGURED";
  readonly remedy: Remedy = "fixConfig";
  get hint(): string {
    return `Add [model_providers.${this.modelProvider}] to config.toml, or name another provider.`;
  }
  override get message(): string {
    return `This chat uses model provider “${this.modelProvider}”, which is no longer configured. Restore this provider’s configuration to continue.`;
  }
}

export type GatewayLoginError =
  | GatewayLoginCancelled
  | GatewayLoginFailed
  | GatewayLoginRefused
  | ModelProviderNotConfigured;
