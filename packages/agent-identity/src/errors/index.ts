/** Every error of the package: `_tag` for Effect, `code` for everyone else, `message` and `hint` for people. */
import type { AssertionError } from "./assertion.ts";
import type { ClientClosed } from "./client.ts";
import type { HttpTransportError } from "./http.ts";
import type { JwksError } from "./jwks.ts";
import type { JwtVerificationError } from "./jwt.ts";
import type { AgentKeyError } from "./keys.ts";
import type { StoredAgentIdentityInvalid } from "./record.ts";
import type { AgentRegistrationError, AgentTaskError } from "./task.ts";
import type { BaseUrlError, PathSegmentInvalid } from "./urls.ts";

export * from "./assertion.ts";
export * from "./client.ts";
export * from "./http.ts";
export * from "./jwks.ts";
export * from "./jwt.ts";
export * from "./keys.ts";
export * from "./record.ts";
export type * from "./remedy.ts";
export * from "./task.ts";
export * from "./urls.ts";

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
