import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/**
 * The request violates the protocol: the method is unknown, or parameters are missing or have the wrong type.
 *
 * @example
 * ```ts
 * import { InvalidRequest } from "@agent-auth/app-server/errors";
 *
 * const error = new InvalidRequest({ problem: "missing field `loginId`" });
 * console.log(error.message); // Invalid request: missing field `loginId`
 * ```
 */
export class InvalidRequest extends Data.TaggedError("InvalidRequest")<{
  /**
   * A text in the format of serde, the Rust library that Codex uses. It quotes strings and numbers from the request.
   */
  readonly problem: string;
}> {
  readonly code = "APP_SERVER_INVALID_REQUEST";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Compare the request with the JSON Schema of the method.";
  override get message(): string {
    return `Invalid request: ${this.problem}`;
  }
}

/**
 * A request came before `initialize`.
 *
 * @example
 * ```ts
 * import { NotInitialized } from "@agent-auth/app-server/errors";
 *
 * const error = new NotInitialized();
 * console.log(error.message); // Not initialized
 * ```
 */
export class NotInitialized extends Data.TaggedError("NotInitialized")<{}> {
  readonly code = "APP_SERVER_NOT_INITIALIZED";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Send initialize first.";
  override get message(): string {
    return "Not initialized";
  }
}

/**
 * `initialize` came a second time on one connection.
 *
 * @example
 * ```ts
 * import { AlreadyInitialized } from "@agent-auth/app-server/errors";
 *
 * const error = new AlreadyInitialized();
 * console.log(error.message); // Already initialized
 * ```
 */
export class AlreadyInitialized extends Data.TaggedError("AlreadyInitialized")<{}> {
  readonly code = "APP_SERVER_ALREADY_INITIALIZED";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Send initialize once for each connection.";
  override get message(): string {
    return "Already initialized";
  }
}

/**
 * `clientInfo.name` cannot be the value of a header.
 *
 * @example
 * ```ts
 * import { InvalidClientName } from "@agent-auth/app-server/errors";
 *
 * const error = new InvalidClientName({ clientName: "é" });
 * console.log(error.message); // Invalid clientInfo.name: 'é'. Must be a valid HTTP header value.
 * ```
 */
export class InvalidClientName extends Data.TaggedError("InvalidClientName")<{
  readonly clientName: string;
}> {
  readonly code = "APP_SERVER_INVALID_CLIENT_NAME";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Use at most 256 visible ASCII characters.";
  override get message(): string {
    const shown =
      this.clientName.length > 300 ? `${this.clientName.slice(0, 300)}…` : this.clientName;
    return `Invalid clientInfo.name: '${shown}'. Must be a valid HTTP header value.`;
  }
}

/**
 * A method or variant needs a capability that the client did not ask for in `initialize`.
 *
 * @example
 * ```ts
 * import { ExperimentalApiRequired } from "@agent-auth/app-server/errors";
 *
 * const error = new ExperimentalApiRequired({ what: "accountSession/list" });
 * console.log(error.message); // accountSession/list requires experimentalApi capability
 * ```
 */
export class ExperimentalApiRequired extends Data.TaggedError("ExperimentalApiRequired")<{
  readonly what: string;
}> {
  readonly code = "APP_SERVER_EXPERIMENTAL_API_REQUIRED";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Set capabilities.experimentalApi in initialize.";
  override get message(): string {
    return `${this.what} requires experimentalApi capability`;
  }
}

/**
 * Codex's app server supports this method or variant, but this server does not.
 *
 * @example
 * ```ts
 * import { MethodNotSupported } from "@agent-auth/app-server/errors";
 *
 * const error = new MethodNotSupported({ what: "account/bedrock/login", area: "Amazon Bedrock" });
 * console.log(error.message); // account/bedrock/login is not supported: this server does not implement Amazon Bedrock
 * ```
 */
export class MethodNotSupported extends Data.TaggedError("MethodNotSupported")<{
  readonly what: string;
  readonly area: string;
}> {
  readonly code = "APP_SERVER_METHOD_NOT_SUPPORTED";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Send this request to `codex app-server` instead.";
  override get message(): string {
    return `${this.what} is not supported: this server does not implement ${this.area}`;
  }
}

/**
 * More requests are waiting than the server queues.
 *
 * @example
 * ```ts
 * import { ServerOverloaded } from "@agent-auth/app-server/errors";
 *
 * const error = new ServerOverloaded();
 * console.log(error.message); // Server overloaded; retry later.
 * ```
 */
export class ServerOverloaded extends Data.TaggedError("ServerOverloaded")<{}> {
  readonly code = "APP_SERVER_OVERLOADED";
  readonly remedy: Remedy = "retry";
  readonly hint = "Wait for answers before sending more requests.";
  override get message(): string {
    return "Server overloaded; retry later.";
  }
}

/**
 * Something failed that no error class describes. The cause is in the server's log, not in the response.
 *
 * @example
 * ```ts
 * import { InternalError } from "@agent-auth/app-server/errors";
 *
 * const error = new InternalError();
 * console.log(error.message); // internal error
 * ```
 */
export class InternalError extends Data.TaggedError("InternalError")<{}> {
  readonly code = "APP_SERVER_INTERNAL_ERROR";
  readonly remedy: Remedy = "retry";
  readonly hint = "See the log of the server for the cause.";
  override get message(): string {
    return "internal error";
  }
}

/** Errors with which a request can be rejected before the account service is called. */
export type RequestError =
  | AlreadyInitialized
  | ExperimentalApiRequired
  | InternalError
  | InvalidClientName
  | InvalidRequest
  | MethodNotSupported
  | NotInitialized
  | ServerOverloaded;
