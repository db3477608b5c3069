import { controlOf, rootAccessProblem } from "@agent-auth/login/storage/privilege";
import { statSync } from "node:fs";
import { dirname } from "node:path";

/** Returns why root must not create a file at a path: it would follow a link of another user. `undefined` if it may. */
export const rootCreationProblem = (path: string): string | undefined =>
  rootAccessProblem(controlOf(dirname(path)), statSync(dirname(path)), "write");
