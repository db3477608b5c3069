// The runtimes besides Node in which tests start programs: the optional packages of the root package.json, or another
// binary that a variable names.
import { existsSync } from "node:fs";
import { join } from "node:path";

export interface Runtime {
  readonly name: "Bun" | "Deno" | "Node";
  readonly command: string;
  /** What comes between the command and the program's path. */
  readonly words: ReadonlyArray<string>;
  /** The reason why it cannot be started here; `undefined` if it can. */
  readonly missing: string | undefined;
}

const packages = join(import.meta.dirname, "../../node_modules");
const cpu = process.arch === "arm64" ? "aarch64" : process.arch;

const find = (
  name: Runtime["name"],
  variable: string,
  installed: string,
  words: ReadonlyArray<string>,
): Runtime => {
  const command = process.env[variable] ?? join(packages, installed);
  const missing = existsSync(command)
    ? undefined
    : `no ${command.slice(packages.length + 1)} in node_modules, and ${variable} names no other`;
  return { name, command, words, missing };
};

const bun = find("Bun", "AGENT_AUTH_BUN", `@oven/bun-${process.platform}-${cpu}/bin/bun`, []);
const libc = process.platform === "linux" ? "-glibc" : "";
const deno = find(
  "Deno",
  "AGENT_AUTH_DENO",
  `@deno/${process.platform}-${process.arch}${libc}/deno`,
  ["run", "--allow-all", "--node-modules-dir=manual"],
);

export const otherRuntimes: ReadonlyArray<Runtime> = [bun, deno];

export const allRuntimes: ReadonlyArray<Runtime> = [
  { name: "Node", command: process.execPath, words: [], missing: undefined },
  ...otherRuntimes,
];

/** What the title of a skipped test says. */
export const why = ({ missing }: Runtime): string =>
  missing === undefined ? "" : ` (skipped: ${missing})`;
