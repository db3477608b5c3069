import { constants } from "node:fs";
import { access, lstat } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as Effect from "effect/Effect";
import { resolveTarget } from "../fs/target.ts";

/**
 * The folders whose locks stand for the sign-in of a CODEX_HOME: its own and, where its `auth.json` is a link, the one
 * of the file that it leads to, so that two homes that share a file share a lock. In the order of their names, which is
 * the order to take them in: whoever needs the same two takes them in the same order.
 */
export const foldersToLock = (home: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const linked = await folderOfLinked(join(home, "auth.json")).catch(() => undefined);
    return linked === undefined || linked === home ? [home] : [home, linked].toSorted();
  });

/** `undefined` where nothing is linked, or the folder is one where nothing can be replaced, nor a lock be made. */
const folderOfLinked = async (path: string): Promise<string | undefined> => {
  if (!(await lstat(path)).isSymbolicLink()) return undefined;
  const folder = dirname((await resolveTarget(path, "save")).path);
  await access(folder, constants.W_OK | constants.X_OK);
  return folder;
};
