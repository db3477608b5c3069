/**
 * Returns what a function returns, and drops Node's debug output meanwhile. Under `NODE_DEBUG=child_process` Node prints
 * the arguments and the whole environment of a process that it starts to stderr, the secrets in them included. Without
 * `NODE_DEBUG` the function is just called.
 *
 * @example
 * ```ts
 * import { untraced } from "@agent-auth/model-provider/credentials/untraced";
 * import { spawn } from "node:child_process";
 *
 * const env = { ...process.env, API_KEY: "sk-example" };
 * untraced(() => spawn(process.execPath, ["--version"], { env }));
 * ```
 */
export const untraced = <A>(start: () => A): A => {
  if (process.env["NODE_DEBUG"] === undefined) return start();
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = () => true;
  try {
    return start();
  } finally {
    process.stderr.write = write;
  }
};
