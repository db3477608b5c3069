import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";
import { quoteForShell } from "./place.ts";

/**
 * Another user controls the content of the file or folder, and could make this user run commands or overwrite files.
 * Nothing was run or changed.
 */
export class OwnerNotTrusted extends Data.TaggedError("OwnerNotTrusted")<{
  readonly path: string;
  /** Absent if every user, or a group, can write to it. */
  readonly ownerUid?: number;
}> {
  readonly code = "LOGIN_OWNER_NOT_TRUSTED";
  readonly remedy: Remedy = "fixEnvironment";
  get hint(): string {
    return this.ownerUid === undefined
      ? `Remove that permission. Run: chmod go-w ${quoteForShell(this.path)}`
      : `Run this program as that user: sudo -u '#${this.ownerUid}' …`;
  }
  override get message(): string {
    return this.ownerUid === undefined
      ? `other users can change or replace ${this.path}`
      : `another user (uid ${this.ownerUid}) controls ${this.path}`;
  }
}
