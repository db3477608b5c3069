// Where tests and benchmarks find the real Codex: what CODEX_BINARY names, what `npm run proof:keep -w @agent-auth/cli` has
// downloaded, or what npm has installed.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** The first version whose behaviour tests compare with ours: 0.171. */
const neededMinor = 171;

/** Holds the downloaded Codex. Outside the temporary folder, which Codex refuses as CODEX_HOME. */
export const codexCache = join(
  process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"),
  "agent-auth",
);

/** The path of the program in a package of Codex for this platform. */
export const pathInPackage = `vendor/${process.arch === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-musl/bin/codex`;

export const codexVersion = "0.171.0";

/** Where `npm run proof:keep` unpacks Codex. */
export const downloadedCodex = join(
  codexCache,
  `codex-${codexVersion}-linux-${process.arch}`,
  "package",
  pathInPackage,
);

const installed = (): string | undefined => {
  try {
    const name = `@openai/codex-${process.platform}-${process.arch}/package.json`;
    return join(dirname(createRequire(import.meta.url).resolve(name)), pathInPackage);
  } catch {
    return undefined; // npm installs it for its own platform only
  }
};

export type RealCodex = { readonly path: string } | { readonly missing: string };

/** Returns the program of Codex 0.171 or later, or the reason why there is none. */
export const findCodex = (): RealCodex => {
  const named = process.env["CODEX_BINARY"];
  const candidates = named === undefined ? [downloadedCodex, installed()] : [named];
  const path = candidates.find((one) => one !== undefined && existsSync(one));
  const advice = "CODEX_BINARY can name its program";
  if (path === undefined) return { missing: `Codex 0.${neededMinor} is not installed; ${advice}` };
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 10_000 });
  const found = (stdout ?? "").trim();
  return Number(/\b0\.(\d+)\./.exec(found)?.[1] ?? 0) >= neededMinor
    ? { path }
    : { missing: `needs Codex 0.${neededMinor}, found ${found || "none"}; ${advice}` };
};
