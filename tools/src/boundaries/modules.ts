// The modules of one package among themselves: no circular imports, no file beside a folder of the same name.
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { findCircularImports } from "./cycles.ts";
import { type ReadImports, readImports } from "./imports.ts";
import type { Manifest } from "./workspace.ts";

export interface Module extends ReadImports {
  /** Path below the package's folder. */
  readonly file: string;
}

/** Reads every TypeScript file of a package: source, tests and benches. */
export const readModules = (dir: string): ReadonlyArray<Module> =>
  globSync("{src,test,bench}/**/*.ts", { cwd: dir })
    .toSorted()
    .map((file) => ({ file, ...readImports(file, readFileSync(join(dir, file), "utf8")) }));

/** The file that an import of the package itself names (`@agent-auth/login/errors` inside login), if it is one. */
const ownModule = (manifest: Manifest, id: string): string | undefined => {
  if (id !== manifest.name && !id.startsWith(`${manifest.name}/`)) return undefined;
  const target = manifest.exports[`.${id.slice(manifest.name.length)}`];
  const path = typeof target === "string" ? target : target?.["@agent-auth/source"];
  return path === undefined ? undefined : join(path);
};

const graphOf = (dir: string, manifest: Manifest, modules: ReadonlyArray<Module>) => {
  const graph = new Map<string, ReadonlyArray<string>>();
  for (const { file, imports } of modules)
    graph.set(
      file,
      imports.flatMap((id) =>
        id.startsWith(".")
          ? relative(dir, resolve(dir, dirname(file), id))
          : (ownModule(manifest, id) ?? []),
      ),
    );
  return graph;
};

const checkNames = (dir: string, modules: ReadonlyArray<Module>): ReadonlyArray<string> =>
  modules.flatMap(({ file }) => {
    const folder = join(dirname(file), basename(file, extname(file)));
    const isFolder = existsSync(join(dir, folder)) && statSync(join(dir, folder)).isDirectory();
    return isFolder
      ? `${file} and the folder ${folder} have the same name: move the file to ${folder}/index.ts`
      : [];
  });

/** Everything that is wrong with a package's modules among themselves, one line per problem. */
export const checkModules = (
  dir: string,
  manifest: Manifest,
  modules: ReadonlyArray<Module> = readModules(dir),
): ReadonlyArray<string> => [
  ...checkNames(dir, modules),
  ...findCircularImports(graphOf(dir, manifest, modules)).map(
    ({ cycle, files }) =>
      `circular import: ${[...cycle, cycle[0]].join(" → ")}` +
      (files.length > cycle.length ? ` (${files.length} files in all: ${files.join(", ")})` : ""),
  ),
];
