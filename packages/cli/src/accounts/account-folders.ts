import type { CodexHome } from "@agent-auth/login/config/environment";
import * as Effect from "effect/Effect";
import { lstatSync } from "node:fs";
import { lchown, lstat, mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { accountHome, accountsFolder, isAccountName } from "./account-home.ts";
import { cannotList, folderTrouble } from "./account-trouble.ts";

/** Files besides the sign-in that keeping one leaves in its folder: the locks (docs/protocol.md §2, §3). */
const lockFiles = ["agent-auth.lock", "auth.lock", "auth.json.lock"] as const;

/** Names under which something is kept, or was. Fails where the folder is there and cannot be looked into. */
export const accountNames = (codexHome: string) =>
  Effect.tryPromise({
    try: async () => {
      const found = await readdir(accountsFolder(codexHome), { withFileTypes: true });
      return found
        .filter((entry) => entry.isDirectory() && isAccountName(entry.name))
        .map((entry) => entry.name)
        .toSorted();
    },
    catch: errnoOf,
  }).pipe(
    Effect.catch((errno) =>
      errno === "ENOENT" ? Effect.succeed<string[]>([]) : Effect.fail(cannotList(errno)),
    ),
  );

/** Whether a name leads out of the folder of kept accounts: a link is nothing that we made. */
export const isElsewhere = (codexHome: string, name: string): boolean =>
  lstatSync(accountHome(codexHome, name), { throwIfNoEntry: false })?.isDirectory() === false;

/**
 * Makes an account's folder where it is missing, and CODEX_HOME where that is the default one. Root makes them for the
 * owner of the folder above.
 */
export const makeAccountHome = ({ path: codexHome, explicit }: CodexHome, name: string) =>
  Effect.tryPromise({
    try: async () => {
      if (!explicit) await makeFolder(codexHome);
      await makeFolder(accountsFolder(codexHome));
      await makeFolder(accountHome(codexHome, name));
    },
    catch: (error) => folderTrouble(name, "made", errnoOf(error)),
  });

const makeFolder = async (path: string) => {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return;
    throw error;
  }
  await giveToOwnerAbove(path);
};

/** A folder of root's (`sudo`) in another user's home would lock that user out of the sign-in. */
const giveToOwnerAbove = async (path: string) => {
  if (process.getuid?.() !== 0) return;
  const above = await lstat(dirname(path));
  if (above.isDirectory() && above.uid !== 0) await lchown(path, above.uid, above.gid);
};

/** Removes the lock files, and the folder unless it holds what others put there. */
export const removeAccountHome = (codexHome: string, name: string) =>
  Effect.tryPromise({
    try: async () => {
      const folder = accountHome(codexHome, name);
      for (const file of lockFiles) await rm(join(folder, file), { force: true });
      await rmdir(folder).catch((error: unknown) => {
        const errno = errnoOf(error);
        if (errno !== "ENOTEMPTY" && errno !== "EEXIST" && errno !== "ENOENT") throw error;
      });
    },
    catch: (error) => folderTrouble(name, "removed", errnoOf(error)),
  });

const errnoOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown";
