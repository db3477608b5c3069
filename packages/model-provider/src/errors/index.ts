/**
 * Every error of this package: `_tag` for Effect, `code` for other programs, `message` and `hint` for people, `remedy`
 * for front ends. No field contains a header value, a token or a command's arguments.
 */
import type { ProviderConfigError } from "./configuration.ts";
import type { RequestError } from "./request.ts";
import type { SignError } from "./signing.ts";

export * from "./configuration.ts";
export * from "./request.ts";
export * from "./signing.ts";

/** Every error that this package can fail with, errors of `@agent-auth/login` included. */
export type ModelProviderError = SignError | ProviderConfigError | RequestError;

/** Every `code` of a `ModelProviderError`. */
export type ModelProviderErrorCode = ModelProviderError["code"];

/**
 * Returns whether a thrown value is an error of this package or of a package below it. The shape decides, not the class,
 * so errors of another copy of the package count too.
 *
 * @example
 * ```ts
 * import { isModelProviderError, SignInRequired } from "@agent-auth/model-provider/errors";
 *
 * isModelProviderError(new SignInRequired({ providerId: "openai" })); // true
 * isModelProviderError(new Error("no")); // false
 * ```
 */
export const isModelProviderError = (error: unknown): error is ModelProviderError =>
  error instanceof Error &&
  "_tag" in error &&
  "hint" in error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(?:AGENT_IDENTITY|LOGIN|PROVIDER)_/.test(error.code);

/** Errors about a provider's configuration or about sending: signing never fails with one of them. */
const notFromSigning = {
  PROVIDER_BASE_URL_INVALID: true,
  PROVIDER_ENV_KEY_MISSING: true,
  PROVIDER_REQUEST_ORIGIN_NOT_ALLOWED: true,
  PROVIDER_METHOD_NOT_ALLOWED: true,
  PROVIDER_INTERCEPTOR_ORDER_INVALID: true,
  PROVIDER_ACCOUNT_CHANGED: true,
  PROVIDER_REDIRECT_NOT_FOLLOWED: true,
  PROVIDER_CERTIFICATE_UNTRUSTED: true,
  PROVIDER_WEBSOCKET_NOT_OPENED: true,
} satisfies Record<Exclude<ModelProviderError, SignError>["code"], true>;

/**
 * Returns whether a thrown value is an error that signing a request can fail with.
 *
 * @example
 * ```ts
 * import { isSignError, SignInRequired } from "@agent-auth/model-provider/errors";
 *
 * isSignError(new SignInRequired({ providerId: "openai" })); // true
 * ```
 */
export const isSignError = (error: unknown): error is SignError =>
  isModelProviderError(error) && !(error.code in notFromSigning);
