import type { OutputChunk, Plugin } from "rolldown";

const passedOn = /exports\.([\w$]+)=[\w$]+\.([\w$]+);?/gu;

/**
 * Puts the code that a bundle starts with into its entry file. Rolldown writes an entry that only re-exports a chunk,
 * and its own helpers to a third file; each additional file costs a third of a millisecond at every start.
 */
export const oneStartFile = (): Plugin => ({
  name: "one-start-file",
  generateBundle(_, bundle) {
    const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
    const entry = chunks.find((chunk) => chunk.isEntry);
    const start = chunks.find((chunk) => chunk.name === "start");
    const helpers = chunks.find((chunk) => chunk.name === "rolldown-runtime");
    if (entry === undefined || start === undefined) return;
    const aliases = Array.from(entry.code.matchAll(passedOn), ([, outer, inner]) => [outer, inner]);
    if (aliases.length === 0 || entry.code.replaceAll(passedOn, "").length > 200) return;
    const own = aliases.map(([outer, inner]) => `exports.${outer}=exports.${inner};`).join("");
    for (const chunk of chunks) chunk.code = chunk.code.replaceAll(start.fileName, entry.fileName);
    entry.code = `${withHelpers(start.code, helpers).trimEnd()}\n${own}\n`;
    entry.imports = start.imports;
    delete bundle[start.fileName];
  },
});

/** The helpers keep no state, so parts that are loaded on demand may have a copy of their own. */
const withHelpers = (code: string, helpers: OutputChunk | undefined): string =>
  helpers === undefined
    ? code
    : code.replace(
        `require("./${helpers.fileName}")`,
        () => `(()=>{const exports={};${helpers.code.trimEnd()}return exports})()`,
      );
