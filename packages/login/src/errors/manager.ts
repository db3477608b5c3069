import * as Data from "effect/Data";

/** The manager was used after its `close()`, or closed while the call was under way. */
export class ManagerClosed extends Data.TaggedError("ManagerClosed") {
  readonly code = "LOGIN_MANAGER_CLOSED";
  readonly hint = "Close the manager when no call needs it any more.";
  override get message(): string {
    return "this auth manager is closed";
  }
}
