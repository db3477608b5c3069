import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/**
 * A listener cannot be opened: the port is taken, the address is not one of this machine, or the folder of the socket
 * cannot be used.
 *
 * @example
 * ```ts
 * import { ListenFailed } from "@agent-auth/app-server/errors";
 *
 * const error = new ListenFailed({ address: "ws://127.0.0.1:4500", reason: "the port is in use" });
 * console.log(error.message); // cannot listen on ws://127.0.0.1:4500: the port is in use
 * ```
 */
export class ListenFailed extends Data.TaggedError("ListenFailed")<{
  /** As given to `--listen`. */
  readonly address: string;
  readonly reason: string;
}> {
  readonly code = "APP_SERVER_LISTEN_FAILED";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Choose another address, or stop the program that uses this one.";
  override get message(): string {
    return `cannot listen on ${this.address}: ${this.reason}`;
  }
}

/**
 * The socket belongs to an app server that is running, or to another program that is starting one. The message is the
 * same as in `codex app-server`.
 *
 * @example
 * ```ts
 * import { ControlSocketInUse } from "@agent-auth/app-server/errors";
 *
 * const error = new ControlSocketInUse({ path: "/run/codex.sock" });
 * console.log(error.message); // app-server control socket is already in use at /run/codex.sock
 * ```
 */
export class ControlSocketInUse extends Data.TaggedError("ControlSocketInUse")<{
  readonly path: string;
}> {
  readonly code = "APP_SERVER_CONTROL_SOCKET_IN_USE";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Use the server that is running, stop it, or choose another path.";
  override get message(): string {
    return `app-server control socket is already in use at ${this.path}`;
  }
}

/**
 * A WebSocket listener would accept clients without authentication. Either no authentication mode was configured, or it
 * is disabled for an address that other machines can reach.
 *
 * @example
 * ```ts
 * import { ListenerWithoutAuth } from "@agent-auth/app-server/errors";
 *
 * const error = new ListenerWithoutAuth({ address: "0.0.0.0:4500", isLoopback: false });
 * console.log(error.message.split(" without")[0]); // refusing to start non-loopback websocket listener 0.0.0.0:4500
 * ```
 */
export class ListenerWithoutAuth extends Data.TaggedError("ListenerWithoutAuth")<{
  /** Address and port. */
  readonly address: string;
  readonly isLoopback: boolean;
}> {
  readonly code = "APP_SERVER_LISTENER_WITHOUT_AUTH";
  readonly remedy: Remedy = "fixInput";
  get hint(): string | undefined {
    return this.isLoopback
      ? "`--listen unix://` lets only you connect. `--ws-auth none` lets you and root connect on Linux, and every user of the machine on other systems."
      : undefined;
  }
  override get message(): string {
    const kind = this.isLoopback ? "" : "non-loopback ";
    return `refusing to start ${kind}websocket listener ${this.address} without auth; configure \`--ws-auth capability-token\` or \`--ws-auth signed-bearer-token\``;
  }
}

/**
 * The token or secret with which clients authenticate cannot be read from its file, or is too short.
 *
 * @example
 * ```ts
 * import { ListenerSecretUnusable } from "@agent-auth/app-server/errors";
 *
 * const error = new ListenerSecretUnusable({ path: "/run/token", problem: { _tag: "Empty" } });
 * console.log(error.message); // websocket auth secret /run/token must not be empty
 * ```
 */
export class ListenerSecretUnusable extends Data.TaggedError("ListenerSecretUnusable")<{
  readonly path: string;
  readonly problem:
    | { readonly _tag: "Unreadable"; readonly reason: string }
    | { readonly _tag: "Empty" }
    | { readonly _tag: "TooShort"; readonly minBytes: number };
}> {
  readonly code = "APP_SERVER_LISTENER_SECRET_UNUSABLE";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Create the file with, for example: openssl rand -hex 32";
  override get message(): string {
    switch (this.problem._tag) {
      case "Empty":
        return `websocket auth secret ${this.path} must not be empty`;
      case "TooShort":
        return `signed websocket bearer secret ${this.path} must be at least ${this.problem.minBytes} bytes`;
      default:
        return `failed to read websocket auth secret ${this.path}: ${this.problem.reason}`;
    }
  }
}

/** The errors that opening a listener can fail with. */
export type ListenerError =
  | ControlSocketInUse
  | ListenFailed
  | ListenerSecretUnusable
  | ListenerWithoutAuth;
