import type { Remedy } from "./remedy.ts";

/**
 * Thrown when one of these packages is imported by Node older than 22.19, before any other module of it runs. Older
 * versions lack functions that the packages call later.
 *
 * @example
 * ```ts
 * const { AuthManager } = await import("@agent-auth/login").catch((error: unknown) => {
 *   if (error instanceof Error && error.name === "NodeTooOld") console.error(error.message);
 *   throw error;
 * });
 * console.assert(typeof AuthManager === "function");
 * ```
 */
export class NodeTooOld extends Error {
  readonly _tag = "NodeTooOld";
  override readonly name = "NodeTooOld";
  readonly code = "AGENT_IDENTITY_NODE_TOO_OLD";
  readonly hint = "Install a newer Node.";
  readonly remedy: Remedy = "fixEnvironment";
  /** The version that runs, such as `20.19.0`. */
  readonly found: string;

  constructor(found: string) {
    super(`@agent-auth needs Node 22.19 or later; this is ${found}`);
    this.found = found;
  }
}

// Runtimes other than Node do not report such a version and are not checked.
const found: string | undefined = globalThis.process?.versions?.node;
if (found !== undefined) {
  const [major = 0, minor = 0] = found.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 19)) throw new NodeTooOld(found);
}
