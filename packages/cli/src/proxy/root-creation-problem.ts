import { controlOf, rootAccessProblem } from "@agent-auth/login/storage/privilege";
import { statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Returns why root must not create a file at a path, or `undefined` if it may. If another user controls the path, that
 * user could make root follow a link.
 */
export const rootCreationProblem = (path: string): string | undefined =>
  rootAccessProblem(controlOf(dirname(path)), statSync(dirname(path)), "write");
