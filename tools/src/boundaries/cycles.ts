// Finds circular imports: the strongly connected components of the import graph (Tarjan's algorithm).

type Graph = ReadonlyMap<string, ReadonlyArray<string>>;

export interface CircularImport {
  /** One shortest cycle through the first of the files. */
  readonly cycle: ReadonlyArray<string>;
  /** Every file that takes part, sorted. */
  readonly files: ReadonlyArray<string>;
}

const components = (graph: Graph): ReadonlyArray<ReadonlyArray<string>> => {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: Array<string> = [];
  const onStack = new Set<string>();
  const found: Array<ReadonlyArray<string>> = [];
  const visit = (file: string): number => {
    const own = index.size;
    index.set(file, own);
    let lowest = own;
    stack.push(file);
    onStack.add(file);
    for (const next of graph.get(file) ?? [])
      if (!index.has(next)) lowest = Math.min(lowest, visit(next));
      else if (onStack.has(next)) lowest = Math.min(lowest, index.get(next) ?? own);
    low.set(file, lowest);
    if (lowest === own) {
      const members = stack.splice(stack.indexOf(file));
      for (const member of members) onStack.delete(member);
      found.push(members);
    }
    return lowest;
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found;
};

/** Breadth first, so that the first way back to the start is a shortest one. */
const shortestCycle = (graph: Graph, start: string, within: ReadonlySet<string>) => {
  const queue: Array<ReadonlyArray<string>> = [[start]];
  const seen = new Set<string>();
  for (let path = queue.shift(); path !== undefined; path = queue.shift())
    for (const next of graph.get(path.at(-1) ?? start) ?? []) {
      if (next === start) return path;
      if (!within.has(next) || seen.has(next)) continue;
      seen.add(next);
      queue.push([...path, next]);
    }
  return [];
};

/** Every group of files that import each other, each once, sorted; a file that imports itself is one, too. */
export const findCircularImports = (graph: Graph): ReadonlyArray<CircularImport> =>
  components(graph)
    .map((members) => members.toSorted())
    .filter(([first = "", second]) => second !== undefined || graph.get(first)?.includes(first))
    .map((files) => ({ files, cycle: shortestCycle(graph, files[0] ?? "", new Set(files)) }))
    .toSorted((a, b) => (a.files.join() < b.files.join() ? -1 : 1));
