import * as Data from "effect/Data";

/** A Promise face was used after its `close()`, or closed while the call was under way. */
export class ClientClosed extends Data.TaggedError("ClientClosed") {
  readonly code = "AGENT_IDENTITY_CLIENT_CLOSED";
  readonly hint = "Close the client when no call needs it any more.";
  override get message() {
    return "this agent identity client is closed";
  }
}
