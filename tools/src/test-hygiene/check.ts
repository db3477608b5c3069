// The rules that every test file keeps: a test can fail, says which error it expects, does not read source text, and a
// table of cases shows each case in its title.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseSync, Visitor } from "rolldown/utils";

type Program = ReturnType<typeof parseSync>["program"];
type Span = { readonly start: number; readonly end: number };

interface Call extends Span {
  /** The code of what is called: `expect(error).toThrow`. */
  readonly callee: string;
  readonly arguments: ReadonlyArray<Span & { readonly type: string }>;
}

/** A function that the file declares or imports, by name. */
interface Helper extends Span {
  readonly name: string;
}

interface TestFile {
  readonly text: string;
  readonly calls: ReadonlyArray<Call>;
  readonly throws: ReadonlyArray<Span>;
  readonly functions: ReadonlyArray<Helper>;
  /** Imported names with the file that they come from, for relative imports. */
  readonly imports: ReadonlyMap<string, string>;
}

const isFunction = (node: { type: string } | null): boolean =>
  node !== null && /^(ArrowFunction|Function|Call)Expression$/.test(node.type);

const readTestFile = (path: string): TestFile => {
  const text = readFileSync(path, "utf8");
  const program: Program = parseSync(path, text).program;
  const calls: Array<Call> = [];
  const throws: Array<Span> = [];
  const functions: Array<Helper> = [];
  const imports = new Map<string, string>();
  new Visitor({
    CallExpression(node) {
      const callee = text.slice(node.callee.start, node.callee.end);
      calls.push({ start: node.start, end: node.end, callee, arguments: node.arguments });
    },
    ThrowStatement(node) {
      throws.push(node);
    },
    FunctionDeclaration(node) {
      if (node.id) functions.push({ name: node.id.name, start: node.start, end: node.end });
    },
    VariableDeclarator(node) {
      if (node.id.type === "Identifier" && isFunction(node.init))
        functions.push({ name: node.id.name, start: node.start, end: node.end });
    },
    Property(node) {
      if (node.key.type === "Identifier" && isFunction(node.value))
        functions.push({ name: node.key.name, start: node.start, end: node.end });
    },
    ImportDeclaration(node) {
      if (!node.source.value.startsWith(".")) return;
      for (const { local } of node.specifiers)
        imports.set(local.name, join(dirname(path), node.source.value));
    },
  }).visit(program);
  return { text, calls, throws, functions, imports };
};

const within = (inner: Span, outer: Span): boolean =>
  inner.start >= outer.start && inner.end <= outer.end;

const isAssertion =
  /^(?:expect\b(?!\.(?:extend|addSnapshotSerializer))|expectTypeOf\b|assert\w*\b|fc\.assert\b|.*\bassert\.)/;
const isTest = /^(?:it|test)(?:\.(?:effect|live|prop|concurrent|sequential|only))*$/;
const isTable = /^(?:it|test|describe)(?:\.\w+)*\.(?:each|for)(?:<[^]*?>)?\(/;
const isConditional = /^(?:it|test)(?:\.\w+)*\.(?:skipIf|runIf)\(/;

const known = new Map<string, ReadonlySet<string>>();

/** Names of functions in a file that assert, directly or through others. */
const assertingNames = (path: string, file: TestFile): ReadonlySet<string> => {
  const found = known.get(path);
  if (found !== undefined) return found;
  const names = new Set<string>();
  // Set before the imports are read, so that files that import each other come to an end.
  known.set(path, names);
  for (const [name, from] of file.imports)
    if (existsSync(from) && assertingNames(from, readTestFile(from)).has(name)) names.add(name);
  let before = -1;
  while (before !== names.size) {
    before = names.size;
    for (const one of file.functions)
      if (!names.has(one.name) && asserts(file, one, names)) names.add(one.name);
  }
  return names;
};

const calledName = (callee: string): string => /\w+$/.exec(callee)?.[0] ?? "";

const asserts = (file: TestFile, span: Span, names: ReadonlySet<string>): boolean =>
  file.throws.some((one) => within(one, span)) ||
  file.calls.some(
    (call) =>
      within(call, span) &&
      (isAssertion.test(call.callee) ||
        names.has(calledName(call.callee)) ||
        call.arguments.some(
          (arg) => arg.type === "Identifier" && names.has(file.text.slice(arg.start, arg.end)),
        )),
  );

const lineOf = (text: string, at: number): number => text.slice(0, at).split("\n").length;

const isTrivial = (call: Call, text: string): boolean => {
  const found = /^expect\(\s*(.+?)\s*\)\.(?:toBe|toEqual|toStrictEqual)$/s.exec(call.callee);
  const [arg] = call.arguments;
  if (found === null || arg === undefined) return false;
  return found[1] === text.slice(arg.start, arg.end);
};

const someError: ReadonlyArray<(call: Call, text: string) => boolean> = [
  ({ callee, arguments: args }) =>
    /(?<!\.not)\.(?:toThrow|toThrowError)$/.test(callee) && args.length === 0,
  ({ callee, arguments: [arg] }, text) =>
    /(?<!\.not)\.(?:toThrow|toThrowError|rejects\.toBeInstanceOf)$/.test(callee) &&
    arg !== undefined &&
    text.slice(arg.start, arg.end) === "Error",
  ({ callee }) => /\.rejects\.(?:toBeDefined|toBeTruthy|not\.toBeUndefined)$/.test(callee),
  ({ callee, arguments: [arg] }, text) =>
    /^expect\([^]*\bisFailure\([^]*\)\)\.toBe$/.test(callee) &&
    arg !== undefined &&
    text.slice(arg.start, arg.end) === "true",
];

const readsSource = (call: Call, text: string): boolean => {
  if (!/(?:^|\.)(?:readFile|readFileSync|readText)$/.test(call.callee)) return false;
  const [arg] = call.arguments;
  if (arg === undefined) return false;
  return /\bsrc\/|["'`]src["'`]/.test(text.slice(arg.start, arg.end));
};

const globsSource = (call: Call, text: string): boolean =>
  /(?:^|\.)(?:globSync|glob)$/.test(call.callee) &&
  call.arguments.some(({ start, end }) => /["'`]src\/|\/src\//.test(text.slice(start, end)));

/** Everything that is wrong with a test file, one line per problem. */
export const checkTestFile = (path: string): ReadonlyArray<string> => {
  const file = readTestFile(path);
  const { text, calls } = file;
  const names = assertingNames(path, file);
  const problems: Array<{ readonly at: number; readonly problem: string }> = [];
  for (const call of calls) {
    const add = (problem: string) => problems.push({ at: call.start, problem });
    const [title] = call.arguments;
    const isOneTest =
      isTest.test(call.callee) ||
      (isTable.test(call.callee) && !call.callee.startsWith("describe")) ||
      isConditional.test(call.callee);
    if (isOneTest && call.arguments.length > 1 && !asserts(file, call, names))
      add("this test has no assertion");
    if (
      isTable.test(call.callee) &&
      title?.type === "Literal" &&
      !/[%$]/.test(text.slice(title.start, title.end))
    )
      add("the title of this table of tests does not show the case (use %s, %j or $name)");
    if (someError.some((matches) => matches(call, text)))
      add("this expects some error: state its class, code or message");
    if (isTrivial(call, text)) add("this compares a value with itself");
    if (readsSource(call, text) || globsSource(call, text))
      add("this reads source text: import what it declares");
  }
  return problems
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, problem }) => `${path}:${lineOf(text, at)} ${problem}`);
};
