import type { Plugin } from "rolldown";

const registry = "new WeakMap()";

/**
 * Makes the copies of Effect in the bundles share what `Redacted` hides, so that a secret that one bundle wraps can be
 * opened by another. It cannot be listed, and only the holder of the wrapper opens it.
 */
export const oneRedacted = (): Plugin => ({
  name: "one-redacted",
  transform(code, id) {
    if (!id.endsWith("/effect/dist/internal/redacted.js")) return null;
    if (!code.includes(registry)) throw new Error(`effect changed: ${registry} is not there`);
    return code.replace(
      registry,
      `(globalThis[Symbol.for("agent-auth/redacted")] ??= ${registry})`,
    );
  },
});
