import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "rolldown";

/**
 * Licences of bundled packages require that their text is distributed as well. Collects the texts over all bundles; the
 * last bundle writes the file.
 */
export const thirdPartyLicenses = (fileName: string) => {
  const packages = new Map<string, string>();
  const collect: Plugin = {
    name: "third-party-licenses-collect",
    generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== "chunk") continue;
        for (const id of Object.keys(file.modules)) note(packages, id);
      }
    },
  };
  const write: Plugin = {
    name: "third-party-licenses",
    generateBundle() {
      const texts = [...packages].toSorted(([a], [b]) => a.localeCompare(b));
      const source = texts.map(([name, text]) => `${name}\n\n${text.trim()}\n`).join(separator);
      this.emitFile({ type: "asset", fileName, source });
    },
  };
  return { collect, write };
};

/** Stands between two texts of the file. */
export const separator = `\n${"-".repeat(80)}\n\n`;

/** Returns name and version of each package whose licence is in the file's text. */
export const namesOfLicensed = (text: string): readonly string[] =>
  text.split(separator).flatMap((part) => /^(\S+ \S+) \(.*\)$/mu.exec(part)?.[1] ?? []);

const note = (packages: Map<string, string>, id: string) => {
  const folder = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/u.exec(id)?.[0];
  if (folder === undefined) return;
  const { name, version, license } = manifestOf(folder);
  packages.set(`${name} ${version} (${license})`, textIn(folder));
};

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

const textIn = (folder: string): string => {
  const found = readdirSync(folder).find((name) => /^licen[cs]e/iu.test(name));
  if (found === undefined) throw new Error(`${folder} is bundled, and has no licence text`);
  return readFileSync(join(folder, found), "utf8");
};
