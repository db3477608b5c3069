import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "rolldown";

/**
 * Removes what earlier builds left in the output folder, after this one is whole: so the program keeps working while it
 * is rebuilt, also if two builds overlap (files younger than this build are kept).
 */
export const sweepStale = (folder: string) => {
  const startedAtMs = Date.now();
  const written = new Set<string>();
  const note: Plugin = {
    name: "sweep-stale-note",
    writeBundle(_, bundle) {
      for (const file of Object.keys(bundle)) written.add(file);
    },
  };
  const sweep: Plugin = {
    name: "sweep-stale",
    closeBundle() {
      for (const file of readdirSync(folder)) {
        const path = join(folder, file);
        const isOurs = written.has(file) || statSync(path).mtimeMs >= startedAtMs;
        if (!isOurs) rmSync(path, { recursive: true, force: true });
      }
    },
  };
  return { note, sweep };
};
