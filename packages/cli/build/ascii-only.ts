import type { Plugin } from "rolldown";

/**
 * Writes `…` and its kind as escapes. One character outside Latin-1 makes V8 keep a whole file in two bytes per
 * character and decode it as such at every start.
 */
export const asciiOnly = (): Plugin => ({
  name: "ascii-only",
  generateBundle(_, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type !== "chunk") continue;
      file.code = file.code.replaceAll(
        /[\u0080-\uffff]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
    }
  },
});
