import type { Remedy } from "./remedy.ts";

/**
 * Thrown when one of these packages is imported by Node older than 22.19, or by a Bun or Deno that is compatible with an
 * older Node, before any other module of it runs. Older versions lack functions that the packages call later.
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
  readonly hint: string;
  readonly remedy: Remedy = "fixEnvironment";
  /** The version of Node that runs, or that the runtime is compatible with, such as `20.19.0`. */
  readonly found: string;

  constructor(found: string, versions: Versions = {}) {
    const [name, version] = versions["bun"] ? ["Bun", versions["bun"]] : ["Deno", versions["deno"]];
    const what = version ? `${name} ${version}, which is compatible with Node ${found}` : found;
    super(`@agent-auth needs Node 22.19 or later; this is ${what}`);
    this.found = found;
    this.hint = `Install a newer ${version ? name : "Node"}.`;
  }
}

/** `process.versions` */
type Versions = Readonly<Record<string, string | undefined>>;

// Bun and Deno report the version of Node that they are compatible with. Browsers report none and are not checked.
const versions: Versions | undefined = globalThis.process?.versions;
const found = versions?.["node"];
if (found !== undefined) {
  const [major = 0, minor = 0] = found.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 19)) throw new NodeTooOld(found, versions);
}
