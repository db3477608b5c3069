import { privateAccessList } from "./access-list.ts";
import type { WindowsFunctions } from "./native.ts";

// What Node lacks on Windows, called through koffi: access lists, and the lock that Codex takes.

/** Returns the functions of Windows; `undefined` on another platform, or if the optional package koffi is not installed. */
export const loadWindowsFunctions = async (): Promise<WindowsFunctions | undefined> =>
  process.platform === "win32" ? (await import("./native.ts")).loading : undefined;

/** Creates an empty file that only this user, administrators and the system can access. Throws `EEXIST` if it exists. */
export const createPrivateFile = (windows: WindowsFunctions, path: string): void =>
  windows.createFile(path, privateAccessList(windows.userSid()));
