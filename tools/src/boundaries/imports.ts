// Reads which modules a TypeScript file names, with any syntax.
import { parseSync, Visitor } from "rolldown/utils";

export interface ReadImports {
  /** Module ids: of static, type-only and dynamic imports, re-exports, `import("x").T` and `require`. */
  readonly imports: ReadonlyArray<string>;
  readonly problems: ReadonlyArray<string>;
}

export const readImports = (path: string, text: string): ReadImports => {
  const { errors, module, program } = parseSync(path, text);
  const imports = new Set<string>();
  const problems = errors.length > 0 ? ["does not parse"] : [];
  for (const { moduleRequest } of module.staticImports) imports.add(moduleRequest.value);
  for (const { entries } of module.staticExports)
    for (const { moduleRequest } of entries) if (moduleRequest) imports.add(moduleRequest.value);
  new Visitor({
    ImportExpression(node) {
      if (node.source.type === "Literal") imports.add(String(node.source.value));
      else problems.push("has an import() whose argument is not a literal");
    },
    TSImportType(node) {
      imports.add(node.source.value);
    },
    CallExpression(node) {
      const [first] = node.arguments;
      if (node.callee.type !== "Identifier" || node.callee.name !== "require") return;
      if (first?.type === "Literal") imports.add(String(first.value));
      else problems.push("has a require() whose argument is not a literal");
    },
  }).visit(program);
  return { imports: [...imports], problems };
};
