import type { Plugin } from "rolldown";

/** A file of Effect, a piece of its text, and what replaces it. */
const changes = [
  ["/effect/dist/Utils.js", "error.stack?.includes(InternalTypeId) === true", "true"],
  [
    "/effect/dist/internal/effect.js",
    'error.stack?.includes("[as " + marker + "]") === true',
    "true",
  ],
  [
    "/effect/dist/internal/effect.js",
    'globalThis.process?.getBuiltinModule?.("node:async_hooks")?.AsyncResource',
    "undefined",
  ],
] as const;

/**
 * Answers at build time what Effect finds out at every start: whether stack traces show its own calls, for which it
 * creates two errors. V8 shows them, and the first stack trace of a process costs half a millisecond. Leaves out the
 * AsyncResource that Effect makes whenever a fiber waits: the command line stores nothing in an AsyncLocalStorage.
 */
export const leanEffect = (): Plugin => ({
  name: "lean-effect",
  transform(code, id) {
    let changed = code;
    for (const [file, text, replacement] of changes) {
      if (!id.endsWith(file)) continue;
      if (!code.includes(text)) throw new Error(`effect changed: ${text} is not there any more`);
      changed = changed.replace(text, replacement);
    }
    return changed === code ? null : changed;
  },
});
