// Bundles programs that tests start many times.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { rolldown } from "rolldown";

/** A program that many processes are to run. */
export interface BundledProgram {
  readonly command: readonly [node: string, file: string];
  /** Has Node keep what it compiled for the next process. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Bundles a program and the sources that it imports into one file. A process then starts in a third of the processor time
 * that it needs to load the sources. The file is below the package, so that its packages with native code are found, and is
 * removed when this process exits.
 */
export const bundleProgram = async (input: string, packageDir: string): Promise<BundledProgram> => {
  const results = join(packageDir, ".results");
  mkdirSync(results, { recursive: true });
  const dir = mkdtempSync(join(results, "bundle-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  const bundle = await rolldown({
    input,
    platform: "node",
    external: ["@napi-rs/keyring", "koffi"],
    resolve: { conditionNames: ["@agent-auth/source", "node", "import", "default"] },
  });
  await bundle.write({ dir, format: "esm", codeSplitting: false, entryFileNames: "[name].mjs" });
  await bundle.close();
  const file = join(dir, basename(input).replace(/\.ts$/u, ".mjs"));
  return { command: [process.execPath, file], env: { NODE_COMPILE_CACHE: join(dir, "compiled") } };
};
