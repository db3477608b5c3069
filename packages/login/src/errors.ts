/**
 * Every error of the package: `_tag` for Effect, `code` stable for everyone else, `message` says what happened, `hint`
 * one next deed. Fields are printed wherever an error is printed, so none holds a secret. Texts of docs/protocol.md
 * §9, §10 and §13 are kept to the letter, which is why some are sentences.
 */
import type { AgentIdentityError } from "@agent-auth/agent-identity/errors";
import type { ConfigError } from "./errors/config.ts";
import type { CredentialError } from "./errors/credential.ts";
import type { HttpClientError } from "./errors/http-client.ts";
import type { LoginInputError } from "./errors/login-input.ts";
import type { ManagerClosed } from "./errors/manager.ts";
import type { RefreshError } from "./errors/refresh.ts";
import type { RestrictionError } from "./errors/restriction.ts";
import type { SignInError } from "./errors/sign-in.ts";
import type { StoreError } from "./errors/store.ts";

export * from "./errors/config.ts";
export * from "./errors/credential.ts";
export * from "./errors/http-client.ts";
export * from "./errors/login-input.ts";
export * from "./errors/manager.ts";
export * from "./errors/refresh.ts";
export * from "./errors/restriction.ts";
export * from "./errors/sign-in.ts";
export * from "./errors/store.ts";

/** Everything that this package can fail with, agent-identity's errors included. */
export type LoginError =
  | AgentIdentityError
  | ConfigError
  | CredentialError
  | HttpClientError
  | LoginInputError
  | ManagerClosed
  | RefreshError
  | RestrictionError
  | SignInError
  | StoreError;

/** Every `code` that this package can answer with, so that a switch over them is checked for completeness. */
export type LoginErrorCode = LoginError["code"];

/** Tells an error of this package, or of the floor below it, from anything else that was thrown. */
export const isLoginError = (error: unknown): error is LoginError =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(?:LOGIN|AGENT_IDENTITY)_/.test(error.code);
