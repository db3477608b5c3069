/**
 * Every error of the package: `_tag` for Effect, `code` for everyone else, `message` and `hint` for people. Fields are
 * printed wherever an error is printed, so none holds a header value, a token or a command's arguments.
 */
import type { ProviderConfigError } from "./configuration.ts";
import type { RequestError } from "./request.ts";
import type { SignError } from "./signing.ts";

export * from "./configuration.ts";
export * from "./request.ts";
export * from "./signing.ts";

/** Everything that this package can fail with, login's errors included. */
export type ModelProviderError = SignError | ProviderConfigError | RequestError;

/** Every `code` that this package can answer with, login's included. */
export type ModelProviderErrorCode = ModelProviderError["code"];

/** Whether something thrown is one of our errors, of this package or a lower one, told by the shape they share. */
export const isModelProviderError = (error: unknown): error is ModelProviderError =>
  error instanceof Error &&
  "_tag" in error &&
  "hint" in error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(?:AGENT_IDENTITY|LOGIN|PROVIDER)_/.test(error.code);
