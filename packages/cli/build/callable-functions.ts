import { parseAst } from "rolldown/parseAst";

/** Where something begins and ends, in UTF-16 units. */
export type Range = readonly [start: number, end: number];

/** Every function expression and arrow function of a script: those that may be put in parentheses. */
export const callableFunctions = (code: string): readonly Range[] => {
  const found: Range[] = [];
  visit(parseAst(code, { sourceType: "commonjs" }), undefined, found);
  return found;
};

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

const visit = (node: Node, parent: Node | undefined, found: Range[]): void => {
  const isFunction = node.type === "ArrowFunctionExpression" || node.type === "FunctionExpression";
  if (isFunction && !isMethodOf(parent)) found.push([node.start, node.end]);
  for (const value of Object.values(node))
    for (const child of Array.isArray(value) ? value : [value])
      if (isNode(child)) visit(child, node, found);
};

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";

/** `{ f() {} }`, `{ get f() {} }` and members of classes are functions without a word or arrow of their own. */
const isMethodOf = (parent: Node | undefined): boolean => {
  if (parent?.type === "MethodDefinition") return true;
  if (parent?.type !== "Property") return false;
  return (
    ("method" in parent && parent.method === true) || ("kind" in parent && parent.kind !== "init")
  );
};
