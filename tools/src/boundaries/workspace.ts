// The packages of the workspace and their layers.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";

const Dependencies = z.record(z.string(), z.string()).default({});

const Manifest = z.object({
  name: z.string(),
  bin: z.record(z.string(), z.string()).default({}),
  scripts: z.record(z.string(), z.string()).default({}),
  exports: z
    .record(z.string(), z.union([z.string(), z.record(z.string(), z.string())]))
    .default({}),
  dependencies: Dependencies,
  optionalDependencies: Dependencies,
  peerDependencies: Dependencies,
  devDependencies: Dependencies,
  nx: z.object({ tags: z.array(z.string()).default([]) }).default({ tags: [] }),
});

export type Manifest = z.infer<typeof Manifest>;

const Layers = z.object({
  depConstraints: z.array(
    z.object({
      sourceTag: z.string(),
      source: z.array(z.string()),
      tests: z.array(z.string()),
    }),
  ),
});

/** Which layers a layer may import in its source, and in its tests as well. */
export type DepConstraint = z.infer<typeof Layers>["depConstraints"][number];

export interface Package {
  readonly dir: string;
  readonly manifest: Manifest;
  /** Its `layer:` tags; a package has exactly one. */
  readonly tags: ReadonlyArray<string>;
  /** A bundle carries its devDependencies, so its source may import them. */
  readonly isBundled: boolean;
}

export interface Workspace {
  readonly root: string;
  readonly packages: ReadonlyArray<Package>;
  /** Workspace folders that are never published: tools, playground, examples. */
  readonly others: ReadonlyArray<Package>;
  /** Every workspace package by name, the others included. */
  readonly byName: ReadonlyMap<string, Package>;
  readonly constraints: ReadonlyArray<DepConstraint>;
  readonly rootDevDependencies: ReadonlySet<string>;
}

export const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

export const readManifest = (dir: string): Manifest =>
  Manifest.parse(readJson(join(dir, "package.json")));

const readPackage = (dir: string): Package => {
  const manifest = readManifest(dir);
  return {
    dir,
    manifest,
    tags: manifest.nx.tags.filter((tag) => tag.startsWith("layer:")),
    isBundled: manifest.scripts["build"]?.startsWith("rolldown") ?? false,
  };
};

export const readWorkspace = (root: string): Workspace => {
  const dirs = globSync("packages/*/package.json", { cwd: root }).map((path) =>
    join(root, dirname(path)),
  );
  const packages = dirs.map(readPackage);
  const others = globSync("{tools,tools/playground,examples}/package.json", { cwd: root }).map(
    (path) => readPackage(join(root, dirname(path))),
  );
  const { depConstraints } = Layers.parse(readJson(join(root, "tools/layers.json")));
  return {
    root,
    packages,
    others,
    byName: new Map([...packages, ...others].map((pkg) => [pkg.manifest.name, pkg])),
    constraints: depConstraints,
    rootDevDependencies: new Set(Object.keys(readManifest(root).devDependencies)),
  };
};
