import { join } from "node:path";
import { type BundledProgram, bundleProgram as bundle } from "@agent-auth/tools/bundle-program";

export type { BundledProgram } from "@agent-auth/tools/bundle-program";

/** Bundles a program of this package's tests. */
export const bundleProgram = (input: string): Promise<BundledProgram> =>
  bundle(input, join(import.meta.dirname, "../.."));
