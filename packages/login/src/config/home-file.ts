import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import { type CodexHome, codexHomeProblem } from "./codex-home.ts";
import { type CodexHomeUnusable, ConfigUnreadable } from "../errors/config.ts";
import { StoreUnreadable } from "../errors/store.ts";
import { readSmallFile } from "../storage/fs/read.ts";
import { systemCodeOf } from "../storage/fs/system-error.ts";

/** A small file of CODEX_HOME: its bytes, nothing if there is no such file, or why it cannot be read. */
export type HomeFile =
  | { readonly _tag: "Read"; readonly bytes: Uint8Array }
  | { readonly _tag: "Absent" }
  /** This user may not enter the folder, so nothing is known about the file. */
  | { readonly _tag: "NoAccess"; readonly error: ConfigUnreadable }
  | { readonly _tag: "Failed"; readonly error: ConfigUnreadable | CodexHomeUnusable };

/** Reads a small file of CODEX_HOME. Links are followed, but not if they make root read what the owner may not. */
export const readHomeFile = (home: CodexHome, name: string): HomeFile => {
  if (home.notFound !== undefined) return { _tag: "Absent" };
  const path = join(home.path, name);
  try {
    const bytes = readSmallFile(path);
    if (bytes !== undefined) return { _tag: "Read", bytes };
  } catch (cause) {
    // HOME of a service account is often not a folder (`/dev/null`). It has no configuration.
    if (!home.explicit && isNoFolder(home)) return { _tag: "Absent" };
    const reason = cause instanceof StoreUnreadable ? cause.reason : "an unexpected failure";
    const error = new ConfigUnreadable({ path, reason });
    return isClosedToUser(home)
      ? { _tag: "NoAccess", error }
      : failedOr(home, { _tag: "Failed", error });
  }
  return failedOr(home, { _tag: "Absent" });
};

/** If the folder itself cannot be used, that is the better explanation. */
const failedOr = (home: CodexHome, otherwise: HomeFile): HomeFile => {
  const error = codexHomeProblem(home);
  return error === undefined ? otherwise : { _tag: "Failed", error };
};

/** Whether the path, or a part of it, exists and is not a folder. */
const isNoFolder = ({ path }: CodexHome): boolean => {
  try {
    return !statSync(path).isDirectory();
  } catch (error) {
    return systemCodeOf(error) === "ENOTDIR";
  }
};

const isClosedToUser = ({ path }: CodexHome): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return false;
  } catch (error) {
    return ["EACCES", "EPERM"].includes(systemCodeOf(error) ?? "");
  }
};
