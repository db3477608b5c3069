// Reads which modules a TypeScript file names, whatever way it names them.
import { parseSync, Visitor } from "rolldown/utils";

export interface ImportedModule {
  readonly id: string;
  /** Whether loading the file loads the module at once: not for types, and not for `import()`. */
  readonly isEager: boolean;
}

export interface ReadImports {
  readonly imports: ReadonlyArray<ImportedModule>;
  readonly problems: ReadonlyArray<string>;
}

export const readImports = (path: string, text: string): ReadImports => {
  const { errors, module, program } = parseSync(path, text);
  const imports: Array<ImportedModule> = [];
  const problems = errors.length > 0 ? ["does not parse"] : [];
  for (const { entries, moduleRequest } of module.staticImports)
    imports.push({
      id: moduleRequest.value,
      isEager: entries.length === 0 || entries.some((entry) => !entry.isType),
    });
  for (const { entries } of module.staticExports)
    for (const entry of entries)
      if (entry.moduleRequest)
        imports.push({ id: entry.moduleRequest.value, isEager: !entry.isType });
  new Visitor({
    ImportExpression(node) {
      if (node.source.type === "Literal")
        imports.push({ id: String(node.source.value), isEager: false });
      else problems.push("has an import() that is not of a literal");
    },
    TSImportType(node) {
      imports.push({ id: node.source.value, isEager: false });
    },
    CallExpression(node) {
      const [first] = node.arguments;
      if (node.callee.type !== "Identifier" || node.callee.name !== "require") return;
      if (first?.type === "Literal") imports.push({ id: String(first.value), isEager: false });
      else problems.push("has a require() that is not of a literal");
    },
  }).visit(program);
  return { imports, problems };
};
