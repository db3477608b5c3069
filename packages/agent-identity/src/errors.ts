/** Every error of the package: `_tag` for Effect, `code` for everyone else, `message` and `hint` for people. */
import type { AssertionError } from "./errors/assertion.ts";
import type { ClientClosed } from "./errors/client.ts";
import type { HttpTransportError } from "./errors/http.ts";
import type { JwksError } from "./errors/jwks.ts";
import type { JwtVerificationError } from "./errors/jwt.ts";
import type { AgentKeyError } from "./errors/keys.ts";
import type { StoredAgentIdentityInvalid } from "./errors/record.ts";
import type { AgentRegistrationError, AgentTaskError } from "./errors/task.ts";
import type { BaseUrlError, PathSegmentInvalid } from "./errors/urls.ts";

export * from "./errors/assertion.ts";
export * from "./errors/client.ts";
export * from "./errors/http.ts";
export * from "./errors/jwks.ts";
export * from "./errors/jwt.ts";
export * from "./errors/keys.ts";
export * from "./errors/record.ts";
export * from "./errors/task.ts";
export * from "./errors/urls.ts";

/** Everything that this package can fail with. */
export type AgentIdentityError =
  | HttpTransportError
  | JwksError
  | JwtVerificationError
  | AgentKeyError
  | AgentTaskError
  | AgentRegistrationError
  | AssertionError
  | StoredAgentIdentityInvalid
  | BaseUrlError
  | PathSegmentInvalid
  | ClientClosed;

/** Stable across releases; a switch over it is checked for completeness. */
export type AgentIdentityErrorCode = AgentIdentityError["code"];

/** Tells an error of this package from anything else that was thrown, by the shape that they share. */
export const isAgentIdentityError = (error: unknown): error is AgentIdentityError =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "string" &&
  error.code.startsWith("AGENT_IDENTITY_");
