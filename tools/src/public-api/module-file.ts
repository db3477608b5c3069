// Reads one TypeScript module (source or declarations): what it declares, and what it exports from where.
import { readFileSync } from "node:fs";
import { parseSync, Visitor } from "rolldown/utils";

type Program = ReturnType<typeof parseSync>["program"];
type Statement = Program["body"][number];

export type Kind = "class" | "error" | "function" | "other";

/** One declaration of a name. Overloads of a function are several. */
export interface Declaration {
  readonly name: string;
  readonly kind: Kind;
  /** The code without comments, `export` and `declare`. */
  readonly text: string;
  /** The docstring before it, `/**` and stars removed; empty if there is none. */
  readonly doc: string;
  /** Every identifier in the code; some of them name other declarations of the module. */
  readonly identifiers: ReadonlySet<string>;
}

/** Where an exported name comes from: this module, or `name` of another. */
export type Origin =
  | { readonly local: string }
  | { readonly module: string; readonly name: string };

export interface ModuleFile {
  readonly path: string;
  readonly declarations: ReadonlyMap<string, ReadonlyArray<Declaration>>;
  /** Named imports, by their local name. */
  readonly imports: ReadonlyMap<string, { readonly module: string; readonly name: string }>;
  readonly exports: ReadonlyMap<string, Origin>;
  /** Modules whose exports are all exported again. */
  readonly stars: ReadonlyArray<string>;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

const isFunctionCall = /^(?:Effect\.fn(?:Untraced)?\b|(?:Function\.)?dual\()/;

const kindOfValue = (
  text: string,
  init: { type: string; start: number } | null,
  annotation: { typeAnnotation: { type: string } } | null | undefined,
): Kind => {
  if (annotation?.typeAnnotation.type === "TSFunctionType") return "function";
  if (init?.type === "ArrowFunctionExpression" || init?.type === "FunctionExpression")
    return "function";
  return init?.type === "CallExpression" && isFunctionCall.test(text.slice(init.start))
    ? "function"
    : "other";
};

const named = (node: { type: string; name?: string; value?: unknown }): string =>
  node.name ?? String(node.value);

/** The declared names of a statement, each with its kind. */
const declaredNames = (
  statement: Statement,
  text: string,
): ReadonlyArray<{ readonly name: string; readonly kind: Kind }> => {
  switch (statement.type) {
    case "FunctionDeclaration":
    case "TSDeclareFunction":
      return statement.id ? [{ name: statement.id.name, kind: "function" }] : [];
    case "ClassDeclaration": {
      const isError = text.slice(statement.superClass?.start).startsWith("Data.TaggedError");
      return statement.id ? [{ name: statement.id.name, kind: isError ? "error" : "class" }] : [];
    }
    case "VariableDeclaration":
      return statement.declarations.flatMap(({ id, init }) =>
        id.type === "Identifier"
          ? [{ name: id.name, kind: kindOfValue(text, init, id.typeAnnotation) }]
          : [],
      );
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
    case "TSEnumDeclaration":
      return [{ name: statement.id.name, kind: "other" }];
    default:
      return [];
  }
};

/** Cuts the comments out of a piece of code, and the blank lines that they leave. */
const withoutComments = (text: string, span: Span, comments: ReadonlyArray<Span>): string => {
  let code = "";
  let from = span.start;
  for (const comment of comments) {
    if (comment.start < span.start || comment.end > span.end) continue;
    code += text.slice(from, comment.start);
    from = comment.end;
  }
  code += text.slice(from, span.end);
  return code.replaceAll(/[ \t]+$/gm, "").replaceAll(/\n{2,}/g, "\n");
};

const docBefore = (text: string, start: number, comments: ReadonlyArray<Span>): string => {
  const last = comments.findLast(({ end }) => end <= start);
  if (last === undefined || text.slice(last.end, start).trim() !== "") return "";
  const comment = text.slice(last.start, last.end);
  if (!comment.startsWith("/**")) return "";
  return comment
    .slice(3, -2)
    .replaceAll(/^[ \t]*\* ?/gm, "")
    .trim();
};

const identifiersOf = (statement: Statement): ReadonlySet<string> => {
  const found = new Set<string>();
  new Visitor({
    Identifier(node) {
      found.add(node.name);
    },
  }).visit({
    type: "Program",
    body: [statement],
    sourceType: "module",
    hashbang: null,
    start: 0,
    end: 0,
  });
  return found;
};

/** Reads a module. Throws if it does not parse. */
export const readModuleFile = (path: string): ModuleFile => {
  const text = readFileSync(path, "utf8");
  const { program, comments, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`);
  const declarations = new Map<string, Array<Declaration>>();
  const imports = new Map<string, { module: string; name: string }>();
  const exports = new Map<string, Origin>();
  const stars: Array<string> = [];

  const declare = (statement: Statement, start: number): ReadonlyArray<string> => {
    const code = withoutComments(text, statement, comments).replace(/^declare /, "");
    const names = declaredNames(statement, text);
    for (const { name, kind } of names)
      declarations.set(name, [
        ...(declarations.get(name) ?? []),
        {
          name,
          kind,
          text: code,
          doc: docBefore(text, start, comments),
          identifiers: identifiersOf(statement),
        },
      ]);
    return names.map(({ name }) => name);
  };

  for (const statement of program.body) {
    if (statement.type === "ImportDeclaration") {
      for (const one of statement.specifiers)
        if (one.type === "ImportSpecifier")
          imports.set(one.local.name, {
            module: statement.source.value,
            name: named(one.imported),
          });
    } else if (statement.type === "ExportAllDeclaration") {
      if (statement.exported === null) stars.push(statement.source.value);
      else exports.set(named(statement.exported), { module: statement.source.value, name: "*" });
    } else if (statement.type === "ExportNamedDeclaration") {
      if (statement.declaration)
        for (const name of declare(statement.declaration, statement.start))
          exports.set(name, { local: name });
      for (const { local, exported } of statement.specifiers)
        exports.set(
          named(exported),
          statement.source
            ? { module: statement.source.value, name: named(local) }
            : { local: named(local) },
        );
    } else declare(statement, statement.start);
  }
  return { path, declarations, imports, exports, stars };
};
