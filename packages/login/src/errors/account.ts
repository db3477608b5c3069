import type { Remedy } from "@agent-auth/agent-identity/errors";
import * as Data from "effect/Data";

/** The name of a kept account cannot be the name of a folder. Nothing was changed. */
export class AccountNameInvalid extends Data.TaggedError("AccountNameInvalid")<{}> {
  readonly code = "LOGIN_ACCOUNT_NAME_INVALID";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Start it with a letter or digit, and do not end it with a dot.";
  override get message(): string {
    return "an account's name is 1 to 64 letters, digits, dots, dashes and underscores, and not a device of Windows such as nul or com1";
  }
}

/** No account is kept under this name. */
export class AccountNotFound extends Data.TaggedError("AccountNotFound")<{
  readonly name: string;
}> {
  readonly code = "LOGIN_ACCOUNT_NOT_FOUND";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "List the kept accounts for their names.";
  override get message(): string {
    return `no account is kept as ${this.name}`;
  }
}

/** The name is taken, or the current sign-in is kept under it already. Nothing was changed. */
export class AccountExists extends Data.TaggedError("AccountExists")<{
  readonly name: string;
  /** Whether the account of that name is the current sign-in. */
  readonly isCurrent: boolean;
  /** `name`: the name is taken. `signIn`: the current sign-in is kept already, under `name`. */
  readonly what: "name" | "signIn";
}> {
  readonly code = "LOGIN_ACCOUNT_EXISTS";
  readonly remedy: Remedy = "fixInput";
  get hint(): string {
    if (this.what === "signIn") return "No action is needed.";
    return this.isCurrent
      ? "It is the current sign-in. Choose another name."
      : "Choose another name, or remove that account first.";
  }
  override get message(): string {
    return this.what === "signIn"
      ? `the current sign-in is kept as ${this.name} already`
      : `an account is kept as ${this.name} already`;
  }
}

/** The account is the current sign-in, so it cannot be removed, nor replaced by a sign-in that revokes its tokens. */
export class AccountInUse extends Data.TaggedError("AccountInUse")<{
  readonly name: string;
}> {
  readonly code = "LOGIN_ACCOUNT_IN_USE";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Use another account first, or sign out.";
  override get message(): string {
    return `${this.name} is the current sign-in`;
  }
}

/** The current sign-in is not kept under a name, so replacing it would lose it. Nothing was changed. */
export class CurrentSignInNotKept extends Data.TaggedError("CurrentSignInNotKept")<{}> {
  readonly code = "LOGIN_ACCOUNT_NOT_KEPT";
  readonly remedy: Remedy = "fixInput";
  readonly hint = "Add the current sign-in under a name first.";
  override get message(): string {
    return "the current sign-in is not kept under any name and would be lost";
  }
}

/** A kept account exists and cannot be read. */
export class AccountUnreadable extends Data.TaggedError("AccountUnreadable")<{
  readonly name: string;
  /** The message of the store's error. */
  readonly reason: string;
  /** Whether the operation was about the current sign-in, which may be this account. */
  readonly mayBeCurrent: boolean;
}> {
  readonly code = "LOGIN_ACCOUNT_UNREADABLE";
  readonly remedy: Remedy = "fixStore";
  readonly hint = "Correct the stored file, or remove that account.";
  override get message(): string {
    return this.mayBeCurrent
      ? `the current sign-in may be the one kept as ${this.name}, which cannot be read (${this.reason})`
      : `the account kept as ${this.name} cannot be read (${this.reason})`;
  }
}

/** The folder of the kept accounts, or that of one account, cannot be read, created or removed. */
export class AccountFolderUnusable extends Data.TaggedError("AccountFolderUnusable")<{
  readonly path: string;
  readonly operation: "read" | "created" | "removed";
  readonly reason: string;
}> {
  readonly code = "LOGIN_ACCOUNT_FOLDER_UNUSABLE";
  readonly remedy: Remedy = "fixStore";
  readonly hint = "Correct the permissions of CODEX_HOME and of its accounts folder.";
  override get message(): string {
    return `${this.path} cannot be ${this.operation}: ${this.reason}`;
  }
}

/** Sign-ins cannot be kept under names if the configuration names a shared store. Nothing was read or changed. */
export class AccountsNotShared extends Data.TaggedError("AccountsNotShared")<{}> {
  readonly code = "LOGIN_ACCOUNTS_NOT_SHARED";
  readonly remedy: Remedy = "fixConfig";
  readonly hint =
    "Give each sign-in its own row: add sign_in=NAME to the parameters of the store's URL.";
  override get message(): string {
    return "sign-ins cannot be kept under names in a shared store";
  }
}

export type AccountError =
  | AccountsNotShared
  | AccountExists
  | AccountFolderUnusable
  | AccountInUse
  | AccountNameInvalid
  | AccountNotFound
  | AccountUnreadable
  | CurrentSignInNotKept;
