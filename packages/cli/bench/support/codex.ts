import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The native Codex: what CODEX_BINARY names, or what npm has installed; else why there is none. */
export const findCodex = (): { readonly path: string } | { readonly missing: string } => {
  const path = process.env["CODEX_BINARY"] ?? installed();
  return path !== undefined && existsSync(path)
    ? { path }
    : { missing: "Codex is not installed; CODEX_BINARY can name its program" };
};

const installed = (): string | undefined => {
  try {
    const name = `@openai/codex-${process.platform}-${process.arch}/package.json`;
    const folder = dirname(createRequire(import.meta.url).resolve(name));
    return join(folder, "vendor/x86_64-unknown-linux-musl/bin/codex");
  } catch {
    return undefined;
  }
};
