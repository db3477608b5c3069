import { othersIn } from "./access-list.ts";
import { loadWindowsFunctions } from "./functions.ts";
import type { WindowsFunctions } from "./native.ts";

export type { WindowsFunctions } from "./native.ts";

/** Who else can access a file or folder of Windows. */
export type OtherUsers =
  | {
      readonly _tag: "Known";
      /** Users and groups by name or security identifier, without this user, administrators and the system. */
      readonly users: ReadonlyArray<string>;
    }
  /** Why that is not known. */
  | { readonly _tag: "Unknown"; readonly reason: string };

/**
 * Reads from the access list of a file or folder of Windows who else can access it: in any way, or to change it. Never
 * rejects. `functions` are for tests; by default, koffi calls those of Windows.
 *
 * @example
 * ```ts
 * import { findOtherUsers } from "@agent-auth/login/storage/windows";
 *
 * const found = await findOtherUsers("C:\\Users\\ada\\.codex\\auth.json", "any");
 * if (found._tag === "Known" && found.users.length > 0) console.warn(`shared with ${found.users.join()}`);
 * ```
 */
export const findOtherUsers = async (
  path: string,
  access: "any" | "write",
  functions?: Pick<WindowsFunctions, "accessListOf" | "userSid">,
): Promise<OtherUsers> => {
  const windows = functions ?? (await loadWindowsFunctions());
  if (windows === undefined)
    return { _tag: "Unknown", reason: "the optional package koffi is not installed" };
  try {
    return {
      _tag: "Known",
      users: othersIn(windows.accessListOf(path), windows.userSid(), access),
    };
  } catch (error) {
    return {
      _tag: "Unknown",
      reason: error instanceof Error ? error.message : "it is not readable",
    };
  }
};
