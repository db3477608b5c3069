import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { rehearsalHomes } from "../build/rehearsal-homes.ts";
import { packageFolder } from "./packages.ts";
import { hostTarget, type Target } from "./targets.ts";

/** Higher than Bun's own (1): functions are compiled to machine code later. Most commands end before that pays off. */
const JIT_POLICY = "16";

export interface CompileOptions {
  /** The folder that `stage` filled. */
  readonly folder: string;
  readonly target: Target;
  /** The executable that is written. */
  readonly output: string;
  /** A file that says which functions are used first (rehearse). */
  readonly order?: string;
}

/** Compiles the staged program into one file. */
export const compile = ({ folder, order, output, target }: CompileOptions): void => {
  const host = hostTarget();
  const bun = join(packageFolder(host.bunPackage), host.bunFile);
  const base = join(packageFolder(target.bunPackage), target.bunFile);
  const meta = join(folder, "meta.json");
  const args = [
    "build",
    "agent-auth.cjs",
    "--compile",
    `--target=${target.bunTarget}`,
    `--compile-executable-path=${base}`,
    "--minify",
    "--bytecode",
    ...(order === undefined ? [] : [`--bytecode-order=${order}`]),
    `--compile-jit-policy=${JIT_POLICY}`,
    // A file of the working directory must neither set variables nor run code.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--no-compile-autoload-tsconfig",
    "--no-compile-autoload-package-json",
    "--reject-unresolved",
    // Else the folder of this build would be in the file, and be looked into at run time.
    '--define=__dirname="/$bunfs/root"',
    '--define=__filename="/$bunfs/root/agent-auth.cjs"',
    "--loader=.bin:file",
    `--metafile=${meta}`,
    `--outfile=${output}`,
  ];
  const { status, stdout, stderr, error } = spawnSync(bun, args, {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, TMPDIR: process.env["TMPDIR"] },
  });
  if (status !== 0) throw new Error(`bun build failed: ${error?.message ?? ""}${stdout}${stderr}`);
  checkInputs(folder, meta);
  chmodSync(output, 0o755);
};

interface Metafile {
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** Fails if something was compiled in that was not staged. */
const checkInputs = (folder: string, meta: string): void => {
  const { inputs }: Metafile = JSON.parse(readFileSync(meta, "utf8"));
  const foreign = Object.keys(inputs).filter((file) =>
    relative(folder, resolve(folder, file)).startsWith(".."),
  );
  if (foreign.length > 0) throw new Error(`not staged: ${foreign.join(", ")}`);
};

/**
 * Runs the most frequent commands of an executable, and returns the files that say which functions they called, most
 * frequent command first. Those functions are then stored next to each other, so that a start reads few pages.
 */
export const rehearse = (executable: string, folder: string): string => {
  const files = rehearsalHomes();
  const orders = rehearsals.map(({ args, home: name }, index) => {
    const home = join(folder, `home-${index}`);
    mkdirSync(home);
    for (const [file, text] of Object.entries(files[name]))
      writeFileSync(join(home, file), text, { mode: 0o600 });
    const order = join(folder, `order-${index}.txt`);
    const env = { HOME: home, CODEX_HOME: home, BUN_BYTECODE_ORDER_OUT: order };
    const { status, stderr } = spawnSync(executable, args, { env, encoding: "utf8" });
    if (status !== 0 || !existsSync(order))
      throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
    return order;
  });
  return orders.join(",");
};

const rehearsals = [
  { args: ["login", "status"], home: "api-key" },
  { args: ["token"], home: "api-key" },
  { args: ["login", "status"], home: "chatgpt" },
  { args: ["token"], home: "configured" },
  { args: ["--version"], home: "api-key" },
  { args: ["--help"], home: "api-key" },
] as const;
