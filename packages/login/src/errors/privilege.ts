import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import { quoteForShell } from "./place.ts";

/**
 * Another user decides what the file or folder holds. Nothing was run or changed, since that user would decide what this
 * one does.
 */
export class OwnerNotTrusted extends Data.TaggedError("OwnerNotTrusted")<{
  readonly path: string;
  /** Absent if every user, or a group, may write it. */
  readonly ownerUid?: number;
}> {
  readonly code = "LOGIN_OWNER_NOT_TRUSTED";
  readonly remedy: Remedy = "fixEnvironment";
  get hint(): string {
    return this.ownerUid === undefined
      ? `Take that permission away: chmod go-w ${quoteForShell(this.path)}`
      : `Run it as that user: sudo -u '#${this.ownerUid}' …`;
  }
  override get message(): string {
    return this.ownerUid === undefined
      ? `other users may write ${this.path} or replace it`
      : `another user (uid ${this.ownerUid}) controls ${this.path}`;
  }
}
