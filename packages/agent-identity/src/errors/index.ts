export * from "./node-version.ts"; // first: checks the version of Node before any other module of the package runs
import * as Data from "effect/Data";
import type { AgentKeyError, StoredAgentIdentityInvalid } from "./agent.ts";
import type { AssertionError } from "./assertion.ts";
import type { DispatcherNotSupported, HttpTransportError } from "./http.ts";
import type { JwksError } from "./jwks.ts";
import type { JwtVerificationError } from "./jwt.ts";
import type { NodeTooOld } from "./node-version.ts";
import type { Remedy } from "./remedy.ts";
import type { AgentRegistrationError, AgentTaskError } from "./task.ts";
import type { BaseUrlError, PathSegmentInvalid } from "./urls.ts";

export * from "./agent.ts";
export * from "./assertion.ts";
export * from "./http.ts";
export * from "./jwks.ts";
export * from "./jwt.ts";
export type * from "./remedy.ts";
export * from "./task.ts";
export * from "./urls.ts";

/** A client of the Promise API was called after its `close()`, or closed during the call. */
export class ClientClosed extends Data.TaggedError("ClientClosed") {
  readonly code = "AGENT_IDENTITY_CLIENT_CLOSED";
  readonly hint = "Create a new client, and close it only after its last call.";
  readonly remedy: Remedy = "fixInput";
  override get message() {
    return "this agent identity client is closed";
  }
}

/**
 * Every error of this package: `_tag` for Effect, a stable `code`, a `message` (what happened), a `hint` (one next step
 * for people) and a `remedy` (the same for programs).
 */
export type AgentIdentityError =
  | HttpTransportError
  | DispatcherNotSupported
  | JwksError
  | JwtVerificationError
  | AgentKeyError
  | AgentTaskError
  | AgentRegistrationError
  | AssertionError
  | StoredAgentIdentityInvalid
  | BaseUrlError
  | PathSegmentInvalid
  | ClientClosed
  | NodeTooOld;

/** The stable `code` of each error; TypeScript checks that a switch over it is exhaustive. */
export type AgentIdentityErrorCode = AgentIdentityError["code"];

const textProperties = ["_tag", "code", "message", "hint", "remedy"] as const;

/**
 * Returns whether a value is an error of this package. Recognised by shape, not by class, so that errors of another
 * copy of the package or of another realm count as well.
 *
 * @example
 * ```ts
 * import { isAgentIdentityError } from "@agent-auth/agent-identity/errors";
 * import { importAgentKey } from "@agent-auth/agent-identity/promises";
 *
 * try {
 *   await importAgentKey("not a key");
 * } catch (error) {
 *   if (!isAgentIdentityError(error)) throw error;
 *   console.error(`${error.code}: ${error.message}. ${error.hint}`);
 * }
 * ```
 */
export const isAgentIdentityError = (error: unknown): error is AgentIdentityError => {
  if (typeof error !== "object" || error === null) return false;
  const found = textProperties.map((name): unknown => Reflect.get(error, name));
  return (
    found.every((value) => typeof value === "string") &&
    String(found[1]).startsWith("AGENT_IDENTITY_")
  );
};
