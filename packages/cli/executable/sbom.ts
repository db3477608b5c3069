import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { namesOfLicensed } from "../build/third-party-licenses.ts";
import { lockedVersion, root } from "./packages.ts";
import type { Target } from "./targets.ts";

interface Component {
  readonly name: string;
  readonly version: string;
  readonly [member: string]: unknown;
}

interface Bom {
  readonly components: readonly Component[];
  readonly metadata: object;
  readonly [member: string]: unknown;
}

/** npm's list of everything in package-lock.json, as CycloneDX. */
const everything = (): Bom => {
  const args = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only"];
  const { status, stdout, stderr } = spawnSync("npm", args, {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`npm sbom failed: ${stderr}`);
  return JSON.parse(stdout);
};

/** What is in every executable; what differs is added for each target. */
const bundled = (): ReadonlySet<string> => {
  const licenses = readFileSync(join(root, "packages/cli/dist/THIRD-PARTY-LICENSES.txt"), "utf8");
  return new Set([...namesOfLicensed(licenses), `jq-wasm ${lockedVersion("jq-wasm")}`]);
};

/** Makes the bills of materials of executables: CycloneDX documents, with npm's checksums and licences of each package. */
export const makeSboms = (version: string) => {
  const { components, metadata, ...rest } = everything();
  const inAll = bundled();
  return (target: Target, sha256: string): string => {
    const own = [target.bunPackage, target.keyringPackage];
    const wanted = new Set([...inAll, ...own.map((name) => `${name} ${lockedVersion(name)}`)]);
    const found = components.filter((one) => wanted.delete(`${one.name} ${one.version}`));
    if (wanted.size > 0) throw new Error(`npm does not list ${[...wanted].join(", ")}`);
    const component = {
      "bom-ref": `agent-auth@${version}`,
      type: "application",
      name: "agent-auth",
      version,
      hashes: [{ alg: "SHA-256", content: sha256 }],
      licenses: [{ license: { id: "Apache-2.0" } }],
    };
    const { dependencies: _, serialNumber: __, ...document } = rest;
    const { timestamp: ___, ...described } = Object(metadata);
    const all = { ...document, metadata: { ...described, component }, components: found };
    return `${JSON.stringify(all, null, 2)}\n`;
  };
};
