// The packages of the workspace and the floors they stand on.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Manifest {
  readonly name: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly nx?: { readonly tags?: ReadonlyArray<string> };
}

export interface Package {
  readonly dir: string;
  readonly manifest: Manifest;
  /** Its `layer:` tags; a package has exactly one. */
  readonly tags: ReadonlyArray<string>;
  /** A bundle carries its devDependencies, so its source may import them. */
  readonly isBundled: boolean;
}

/** Which floors a floor may import from its source, and from its tests besides. */
export interface DepConstraint {
  readonly sourceTag: string;
  readonly source: ReadonlyArray<string>;
  readonly tests: ReadonlyArray<string>;
}

export interface Workspace {
  readonly root: string;
  readonly packages: ReadonlyArray<Package>;
  /** Every workspace package by name, tools included. */
  readonly byName: ReadonlyMap<string, Package>;
  readonly constraints: ReadonlyArray<DepConstraint>;
  readonly rootDevDependencies: ReadonlySet<string>;
}

export const readJson = <Shape>(path: string): Shape => JSON.parse(readFileSync(path, "utf8"));

const readPackage = (dir: string): Package => {
  const manifest = readJson<Manifest>(join(dir, "package.json"));
  return {
    dir,
    manifest,
    tags: (manifest.nx?.tags ?? []).filter((tag) => tag.startsWith("layer:")),
    isBundled: manifest.scripts?.["build"]?.startsWith("rolldown") ?? false,
  };
};

export const readWorkspace = (root: string): Workspace => {
  const dirs = globSync("packages/*/package.json", { cwd: root }).map((path) =>
    join(root, dirname(path)),
  );
  const packages = dirs.map(readPackage);
  const others = globSync("tools/package.json", { cwd: root }).map((path) =>
    readPackage(join(root, dirname(path))),
  );
  const { depConstraints } = readJson<{ depConstraints: ReadonlyArray<DepConstraint> }>(
    join(root, "tools/layers.json"),
  );
  return {
    root,
    packages,
    byName: new Map([...packages, ...others].map((pkg) => [pkg.manifest.name, pkg])),
    constraints: depConstraints,
    rootDevDependencies: new Set(
      Object.keys(readJson<Manifest>(join(root, "package.json")).devDependencies ?? {}),
    ),
  };
};
