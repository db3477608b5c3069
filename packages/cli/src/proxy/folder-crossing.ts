import { controlOf, crossing } from "@agent-auth/login/storage/privilege";
import { statSync } from "node:fs";
import { dirname } from "node:path";

/** Why root must not create a file at a path: another user's link leads there. `undefined` if there is no reason. */
export const folderCrossing = (path: string): string | undefined =>
  crossing(controlOf(dirname(path)), statSync(dirname(path)), "write");
