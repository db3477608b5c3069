import { cpSync, copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageFolder, root } from "./packages.ts";
import type { Target } from "./targets.ts";

const built = join(root, "packages/cli/dist");

/**
 * Puts into a folder what becomes the executable: the built program, and the optional packages as it can hold them.
 * Nothing else may be imported (compile.ts checks it): an import that is left open would be resolved at run time, below
 * the working directory of the user.
 */
export const stage = (folder: string, target: Target): void => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(built))
    if (file.endsWith(".cjs")) copyFileSync(join(built, file), join(folder, file));
  const keyring = packageFolder(target.keyringPackage);
  const native = readdirSync(keyring).find((file) => file.endsWith(".node"));
  if (native === undefined) throw new Error(`${target.keyringPackage} has no native module`);
  const own = writePackage(folder, "@napi-rs/keyring", 'module.exports = require("./load.cjs");\n');
  cpSync(join(import.meta.dirname, "keyring.cjs"), join(own, "load.cjs"));
  copyFileSync(join(keyring, native), join(own, "keyring.bin"));
  const jq = writePackage(folder, "jq-wasm", 'module.exports = require("./jq.cjs");\n');
  copyFileSync(join(root, "node_modules/jq-wasm/dist/inline.cjs"), join(jq, "jq.cjs"));
  for (const name of absent)
    writePackage(folder, name, 'throw new Error("not in the executable");\n');
};

/** Bun calls the C library without koffi. The others make WebSockets faster, and ws works without them. */
const absent = ["koffi", "bufferutil", "utf-8-validate"];

const writePackage = (folder: string, name: string, source: string): string => {
  const own = join(folder, "node_modules", name);
  mkdirSync(dirname(own), { recursive: true });
  mkdirSync(own);
  writeFileSync(join(own, "package.json"), JSON.stringify({ name, main: "index.cjs" }));
  writeFileSync(join(own, "index.cjs"), source);
  return own;
};
