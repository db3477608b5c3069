// The rules of one package: what it may declare, import and export.
import { existsSync, globSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import { checkModules, readModules } from "./modules.ts";
import {
  type DepConstraint,
  type Package,
  readJson,
  readManifest,
  type Workspace,
} from "./workspace.ts";

const packageOf = (id: string): string => id.split("/", id.startsWith("@") ? 2 : 1).join("/");
const TsConfig = z.object({ references: z.array(z.object({ path: z.string() })).default([]) });
const isSource = (file: string): boolean => file.startsWith(`src${sep}`);
const isBuiltin = (id: string): boolean => id.startsWith("node:") || builtinModules.includes(id);

interface Rules {
  readonly workspace: Workspace;
  readonly pkg: Package;
  readonly constraint: DepConstraint;
}

const mayUse = (
  { workspace, constraint }: Rules,
  name: string,
  place: "source" | "tests",
): boolean => {
  const allowed =
    place === "source" ? constraint.source : [...constraint.source, ...constraint.tests];
  return workspace.byName.get(name)?.tags.every((tag) => allowed.includes(tag)) ?? true;
};

const shipped = ({ manifest }: Package): ReadonlyArray<string> => [
  ...Object.keys(manifest.dependencies),
  ...Object.keys(manifest.peerDependencies),
  ...Object.keys(manifest.optionalDependencies),
];

const checkDeclarations = (rules: Rules): ReadonlyArray<string> => {
  const { pkg, workspace } = rules;
  const problems: Array<string> = [];
  const forbidden = (place: "source" | "tests") => (name: string) => !mayUse(rules, name, place);
  for (const name of shipped(pkg).filter(forbidden("source")))
    problems.push(`package.json depends on ${name}, which is not in a lower layer`);
  for (const name of Object.keys(pkg.manifest.devDependencies).filter(forbidden("tests")))
    problems.push(
      `package.json has the devDependency ${name}, which neither its source nor its tests may import`,
    );

  const config = join(pkg.dir, "tsconfig.lib.json");
  if (!existsSync(config)) return problems;
  const { references } = TsConfig.parse(readJson(config));
  const referenced = references.map(({ path }) => readManifest(join(pkg.dir, dirname(path))).name);
  const ours = shipped(pkg).filter((name) => workspace.byName.has(name));
  if (referenced.toSorted().join() !== ours.toSorted().join())
    problems.push(
      `tsconfig.lib.json references [${referenced.join(", ")}], package.json has [${ours.join(", ")}]`,
    );
  return problems;
};

const checkImport = (rules: Rules, file: string, id: string): ReadonlyArray<string> => {
  const { pkg, workspace } = rules;
  if (id.startsWith(".")) {
    const target = relative(pkg.dir, resolve(pkg.dir, dirname(file), id));
    return target.startsWith("..") ? [`${file} imports a file outside its package: ${id}`] : [];
  }
  if (isBuiltin(id) || id.startsWith("#")) return [];
  const name = packageOf(id);
  const declared = new Set([pkg.manifest.name, ...shipped(pkg)]);
  if (!isSource(file) || pkg.isBundled)
    for (const dev of Object.keys(pkg.manifest.devDependencies)) declared.add(dev);
  if (!isSource(file)) for (const dev of workspace.rootDevDependencies) declared.add(dev);
  const problems: Array<string> = [];
  if (!declared.has(name))
    problems.push(`${file} imports ${name}, which its package.json does not declare`);
  if (name !== pkg.manifest.name && !mayUse(rules, name, isSource(file) ? "source" : "tests"))
    problems.push(`${file} imports ${name}, which is not in a lower layer`);
  return problems;
};

const checkFiles = (rules: Rules): ReadonlyArray<string> => {
  const { dir, manifest } = rules.pkg;
  const modules = readModules(dir);
  const problems: Array<string> = [];
  for (const { file, imports, problems: unreadable } of modules) {
    // A test may load a computed name, to measure or to provoke an error; shipped source may not.
    const isExcused = (problem: string) => !isSource(file) && problem.startsWith("has ");
    for (const problem of unreadable) if (!isExcused(problem)) problems.push(`${file} ${problem}`);
    for (const id of imports) problems.push(...checkImport(rules, file, id));
  }
  return [...problems, ...checkModules(dir, manifest, modules)];
};

/** Every export must exist, and every import that a docstring or README shows must be an export. */
const checkExports = ({ pkg, workspace }: Rules): ReadonlyArray<string> => {
  const problems: Array<string> = [];
  for (const [subpath, target] of Object.entries(pkg.manifest.exports))
    for (const [condition, path] of Object.entries(
      typeof target === "string" ? { default: target } : target,
    ))
      if (!path.startsWith("./dist/") && !existsSync(join(pkg.dir, path)))
        problems.push(`exports "${subpath}" (${condition}) names ${path}, which does not exist`);
  for (const file of globSync(["README.md", "src/**/*.ts"], { cwd: pkg.dir }))
    for (const [, name = "", subpath = ""] of readFileSync(join(pkg.dir, file), "utf8").matchAll(
      /from "(@[\w-]+\/[\w-]+)(?:\/([\w./-]+))?"/g,
    )) {
      const exported = workspace.byName.get(name)?.manifest.exports;
      if (exported && !(`.${subpath && `/${subpath}`}` in exported))
        problems.push(`${file} imports ${name}/${subpath}, which ${name} does not export`);
    }
  return problems;
};

/** Everything that is wrong with one package, one line per problem. */
export const checkPackage = (workspace: Workspace, pkg: Package): ReadonlyArray<string> => {
  const constraint = workspace.constraints.find(({ sourceTag }) => sourceTag === pkg.tags[0]);
  if (pkg.tags.length !== 1)
    return [`has ${pkg.tags.length} layer tags in package.json; it needs exactly one`];
  if (!constraint) return [`${pkg.tags[0]} is not in tools/layers.json`];
  const rules = { workspace, pkg, constraint };
  return [...checkDeclarations(rules), ...checkFiles(rules), ...checkExports(rules)];
};
