import type { Stats } from "node:fs";
import { lstat, stat } from "node:fs/promises";
import { systemCodeOf } from "./system-error.ts";

/** Of what a path names, a link itself included; `undefined` where there is nothing. */
export const lstatIfPresent = (path: string): Promise<Stats | undefined> => ifPresent(lstat(path));

/** Of what a path leads to; `undefined` where there is nothing. */
export const statIfPresent = (path: string): Promise<Stats | undefined> => ifPresent(stat(path));

const ifPresent = async (looking: Promise<Stats>): Promise<Stats | undefined> => {
  try {
    return await looking;
  } catch (error) {
    if (systemCodeOf(error) === "ENOENT") return undefined;
    throw error;
  }
};
