import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/**
 * This process is root, and another user decides what the file or folder holds. Nothing was run or changed, since that
 * user could make root do it elsewhere.
 */
export class OwnerNotTrusted extends Data.TaggedError("OwnerNotTrusted")<{
  readonly path: string;
  readonly ownerUid: number;
}> {
  readonly code = "LOGIN_OWNER_NOT_TRUSTED";
  readonly remedy: Remedy = "fixEnvironment";
  get hint(): string {
    return `Run it as that user: sudo -u '#${this.ownerUid}' …`;
  }
  override get message(): string {
    return `this process is root, but user ${this.ownerUid} controls ${this.path}`;
  }
}
