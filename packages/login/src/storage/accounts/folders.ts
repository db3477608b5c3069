import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import * as Effect from "effect/Effect";
import { type CodexHome, prepareCodexHome } from "../../config/codex-home.ts";
import { AccountFolderUnusable, AccountNameInvalid } from "../../errors/account.ts";
import type { CodexHomeUnusable } from "../../errors/config.ts";
import { stateFilePath } from "../fs/state-file.ts";
import { describeSystemError, systemCodeOf } from "../fs/system-error.ts";
import { codexLockName, sqliteLockName } from "../lock/lock-file.ts";
import { refreshLockName } from "../lock/refresh-lock.ts";
import {
  controlOf,
  rootAccessProblem,
  giveToFolderOwner,
  openFolderFlags,
  pinFolder,
} from "../privilege.ts";

/**
 * Every kept account is its own small CODEX_HOME, below the real one. Codex never looks there.
 *
 * @example
 * ```ts
 * import { accountsFolder } from "@agent-auth/login/storage/accounts";
 *
 * console.log(accountsFolder("/home/ada/.codex")); // /home/ada/.codex/accounts
 * ```
 */
export const accountsFolder = (codexHome: string): string => join(codexHome, "accounts");

/**
 * Returns the path of the CODEX_HOME of a kept account, for a manager that works with that account alone.
 *
 * @example
 * ```ts
 * import { accountHome } from "@agent-auth/login/storage/accounts";
 *
 * console.log(accountHome("/home/ada/.codex", "work")); // /home/ada/.codex/accounts/work
 * ```
 */
export const accountHome = (codexHome: string, name: string): string =>
  join(accountsFolder(codexHome), name);

/**
 * Returns whether a text can be the name of a kept account. It becomes the name of a folder, so it has no path
 * separators, no leading dot, and no special characters of shells. Names of devices of Windows (`nul`, `com1`, `con.txt`)
 * are refused on every platform: a file of that name is the device, in every folder.
 *
 * @example
 * ```ts
 * import { isAccountName } from "@agent-auth/login/storage/accounts";
 *
 * console.log(isAccountName("work"), isAccountName("../work")); // true false
 * ```
 */
export const isAccountName = (name: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u.test(name) && !name.endsWith(".") && !isDevice(name);

/** The rest of the list, such as `CONIN$` and `COM¹`, has characters that no account's name may have. */
const isDevice = (name: string): boolean =>
  /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?$/iu.test(name);

/** Fails unless `isAccountName`. */
export const checkName = (name: string): Effect.Effect<void, AccountNameInvalid> =>
  isAccountName(name) ? Effect.void : Effect.fail(new AccountNameInvalid());

const unusable =
  (path: string, operation: AccountFolderUnusable["operation"]) =>
  (error: unknown): AccountFolderUnusable =>
    error instanceof AccountFolderUnusable
      ? error
      : new AccountFolderUnusable({ path, operation, reason: describeSystemError(error).reason });

/** The names of folders in which an account is kept, or was. Fails if the folder exists and cannot be read. */
export const accountNames = (
  codexHome: string,
): Effect.Effect<ReadonlyArray<string>, AccountFolderUnusable> => {
  const path = accountsFolder(codexHome);
  return Effect.try({
    try: () => {
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats === undefined) return [];
      const reason = rootAccessProblem(controlOf(path), stats, "read");
      if (reason !== undefined)
        throw new AccountFolderUnusable({ path, operation: "read", reason });
      return readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && isAccountName(entry.name))
        .map((entry) => entry.name)
        .toSorted();
    },
    catch: unusable(path, "read"),
  });
};

/** Whether there is a folder for an account of this name. A link does not count. */
export const hasFolder = (codexHome: string, name: string): boolean =>
  lstatSync(accountHome(codexHome, name), { throwIfNoEntry: false })?.isDirectory() === true;

/** Creates an account's folder, and those above it, if they are missing. */
export const createAccountFolder = (
  home: CodexHome,
  name: string,
): Effect.Effect<void, AccountFolderUnusable | CodexHomeUnusable> => {
  const path = accountHome(home.path, name);
  return Effect.andThen(
    prepareCodexHome(home, (_, error) => unusable(path, "created")(error)),
    Effect.try({
      try: () => {
        createIn(accountsFolder(home.path));
        createIn(path);
      },
      catch: unusable(path, "created"),
    }),
  );
};

/** Runs `use` on a path by way of its folder, which stays the same one while root works in another user's home. */
const inFolder = (
  path: string,
  operation: AccountFolderUnusable["operation"],
  use: (held: string) => void,
): void => {
  const control = controlOf(dirname(path));
  const folder = pinFolder(
    join(control.real, basename(path)),
    control,
    (reason) => new AccountFolderUnusable({ path, operation, reason }),
  );
  try {
    use(folder.path(basename(path)));
  } finally {
    folder.close();
  }
};

const createIn = (path: string): void =>
  inFolder(path, "created", (held) => {
    try {
      mkdirSync(held, { mode: 0o700 });
    } catch (error) {
      if (systemCodeOf(error) === "EEXIST") return;
      throw error;
    }
    const fd = openSync(held, openFolderFlags);
    try {
      giveToFolderOwner(fd, held);
    } finally {
      closeSync(fd);
    }
  });

/** What the folder of a kept sign-in contains besides the sign-in: the locks, and the outcome of the last refresh. */
const leftovers = (path: string): ReadonlyArray<string> => [
  ...[sqliteLockName, codexLockName, refreshLockName, "auth.json.lock"].map((name) =>
    join(path, name),
  ),
  stateFilePath(path, "refresh.json"),
];

/** Removes the lock files, the outcome of the last refresh, and the folder unless it contains anything else. */
export const removeAccountFolder = (
  codexHome: string,
  name: string,
): Effect.Effect<void, AccountFolderUnusable> => {
  const path = accountHome(codexHome, name);
  return Effect.try({
    try: () => {
      if (!hasFolder(codexHome, name)) return;
      for (const file of leftovers(path)) {
        if (existsSync(dirname(file)))
          inFolder(file, "removed", (held) => rmSync(held, { force: true }));
        if (dirname(file) !== path) inFolder(dirname(file), "removed", removeIfEmpty);
      }
      inFolder(path, "removed", removeIfEmpty);
    },
    catch: unusable(path, "removed"),
  });
};

const removeIfEmpty = (path: string): void => {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes(systemCodeOf(error) ?? "")) throw error;
  }
};
