import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/** The manager was used after `close()`, or closed during the call. */
export class ManagerClosed extends Data.TaggedError("ManagerClosed") {
  readonly code = "LOGIN_MANAGER_CLOSED";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Close the manager only when no call needs it any more.";
  override get message(): string {
    return "this auth manager is closed";
  }
}
