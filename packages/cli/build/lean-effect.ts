import type { Plugin } from "rolldown";

const probes = new Map([
  ["/effect/dist/Utils.js", "error.stack?.includes(InternalTypeId) === true"],
  ["/effect/dist/internal/effect.js", 'error.stack?.includes("[as " + marker + "]") === true'],
]);

/**
 * Answers at build time what Effect finds out at every start: whether stack traces show its own calls, for which it
 * creates two errors. V8 shows them, and the first stack trace of a process costs half a millisecond.
 */
export const leanEffect = (): Plugin => ({
  name: "lean-effect",
  transform(code, id) {
    for (const [file, probe] of probes) {
      if (!id.endsWith(file)) continue;
      if (!code.includes(probe)) throw new Error(`effect changed: ${probe} is not there any more`);
      return code.replace(probe, "true");
    }
    return null;
  },
});
