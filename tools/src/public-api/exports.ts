// What each entry point of a package exports, with the declaration of every name, in any file.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import { type Declaration, type ModuleFile, readModuleFile } from "./module-file.ts";

const Manifest = z.object({
  name: z.string(),
  exports: z
    .record(z.string(), z.union([z.string(), z.record(z.string(), z.string())]))
    .default({}),
});

/** A declaration in a file of the package, or a name of another package. */
export type Target =
  | {
      readonly file: ModuleFile;
      readonly name: string;
      readonly declarations: ReadonlyArray<Declaration>;
    }
  | { readonly external: string; readonly name: string };

export interface EntryPoint {
  /** As a program imports it: `@agent-auth/login/errors`. */
  readonly id: string;
  /** By exported name, sorted. */
  readonly exports: ReadonlyMap<string, Target>;
}

export interface PublicApi {
  readonly name: string;
  readonly entryPoints: ReadonlyArray<EntryPoint>;
  /** What a name stands for inside one of the package's files; undefined for globals. */
  readonly lookUp: (file: ModuleFile, name: string) => Target | undefined;
}

/** The index after everything more specific: a name is shown where a reader looks for it. */
export const bySpecificity = (a: EntryPoint, b: EntryPoint): number =>
  b.id.split("/").length - a.id.split("/").length || (a.id < b.id ? -1 : 1);

/**
 * Reads the public API of the package in a folder: from its sources (`"@agent-auth/source"`), or from its built
 * declarations (`"types"`). Throws if a file is missing.
 */
export const readPublicApi = (
  dir: string,
  condition: "@agent-auth/source" | "types",
): PublicApi => {
  const manifest = Manifest.parse(JSON.parse(readFileSync(join(dir, "package.json"), "utf8")));
  const files = new Map<string, ModuleFile>();

  const open = (path: string): ModuleFile => {
    const known = files.get(path);
    if (known !== undefined) return known;
    if (!existsSync(path)) throw new Error(`${relative(dir, path)} is missing: run npm run build`);
    const file = readModuleFile(path);
    files.set(path, file);
    return file;
  };

  const resolve = (from: ModuleFile, module: string): ModuleFile | undefined => {
    if (!module.startsWith(".")) return undefined;
    const path = join(dirname(from.path), module);
    return open(condition === "types" ? path.replace(/\.(ts|js)$/, ".d.ts") : path);
  };

  const follow = (from: ModuleFile, module: string, name: string): Target | undefined => {
    const file = resolve(from, module);
    if (file === undefined) return { external: module, name };
    return name === "*" ? { file, name, declarations: [] } : findExport(file, name);
  };

  const lookUp = (file: ModuleFile, name: string): Target | undefined => {
    const declarations = file.declarations.get(name);
    if (declarations !== undefined) return { file, name, declarations };
    const imported = file.imports.get(name);
    return imported && follow(file, imported.module, imported.name);
  };

  const findExport = (file: ModuleFile, name: string): Target | undefined => {
    const origin = file.exports.get(name);
    if (origin !== undefined)
      return "local" in origin
        ? lookUp(file, origin.local)
        : follow(file, origin.module, origin.name);
    for (const star of file.stars) {
      const target = resolve(file, star);
      const found = target && findExport(target, name);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  const exportedNames = (file: ModuleFile): ReadonlySet<string> => {
    const names = new Set(file.exports.keys());
    for (const star of file.stars) {
      const target = resolve(file, star);
      if (target) for (const name of exportedNames(target)) names.add(name);
    }
    return names;
  };

  const entryPoints = Object.entries(manifest.exports).flatMap(([subpath, target]) => {
    const path = typeof target === "string" ? undefined : target[condition];
    if (path === undefined) return [];
    const file = open(join(dir, path));
    const exports = new Map<string, Target>();
    for (const name of [...exportedNames(file)].toSorted()) {
      const found = findExport(file, name);
      if (found === undefined)
        throw new Error(`${file.path} exports ${name}, which is not declared`);
      exports.set(name, found);
    }
    return [{ id: `${manifest.name}${subpath.slice(1)}`, exports }];
  });
  return {
    name: manifest.name,
    entryPoints: entryPoints.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    lookUp,
  };
};
