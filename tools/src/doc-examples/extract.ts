// Extracts the `@example` blocks from the docstrings of everything that a package exports, and the code blocks of documents.
import { bySpecificity, readPublicApi } from "../public-api/exports.ts";
import type { Kind } from "../public-api/module-file.ts";

export interface DocumentedExport {
  /** As a program imports it: `@agent-auth/login/errors#isLoginError`. */
  readonly id: string;
  readonly name: string;
  readonly kind: Kind;
  readonly doc: string;
  /** The TypeScript code of its examples. */
  readonly examples: ReadonlyArray<string>;
}

/** The code blocks that follow `@example` tags, up to the next tag. */
export const examplesOf = (doc: string): ReadonlyArray<string> => {
  const examples: Array<string> = [];
  let isExample = false;
  let code: Array<string> | undefined;
  for (const line of doc.split("\n")) {
    const isFence = line.trimStart().startsWith("```");
    if (code !== undefined && isFence) {
      examples.push(`${code.join("\n")}\n`);
      code = undefined;
    } else if (code !== undefined) code.push(line);
    else if (line.startsWith("@")) isExample = line.startsWith("@example");
    else if (isFence && isExample) code = [];
  }
  return examples;
};

/** The TypeScript code blocks of a Markdown document, also those that are indented, such as in a list. */
export const codeBlocksOf = (markdown: string): ReadonlyArray<string> =>
  [...markdown.matchAll(/^ *```ts\n(.*?)^ *```$/gmsu)].map(([, code = ""]) => code);

/** What the package in a folder exports by its own, each once, sorted; names of other packages are left out. */
export const documentedExports = (dir: string): ReadonlyArray<DocumentedExport> => {
  const { entryPoints } = readPublicApi(dir, "@agent-auth/source");
  const found = new Map<string, DocumentedExport>();
  for (const { id, exports } of entryPoints.toSorted(bySpecificity))
    for (const target of exports.values()) {
      if ("external" in target) continue;
      const [declaration] = target.declarations;
      if (declaration === undefined) continue;
      const { name, kind } = declaration;
      const doc = target.declarations.map((one) => one.doc).join("\n");
      const key = `${target.file.path}#${name}`;
      if (found.has(key)) continue;
      found.set(key, {
        id: `${id}#${name}`,
        name,
        kind,
        doc,
        examples: examplesOf(doc),
      });
    }
  return [...found.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
};
