// Typechecks and runs the examples of docstrings: one compiler run for all, one process per package.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { DocumentedExport } from "./extract.ts";

const root = resolve(import.meta.dirname, "../../..");

const output = async (command: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv) => {
  const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const pieces: Array<Buffer> = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece: Buffer) => pieces.push(piece));
  const timer = setTimeout(() => child.kill("SIGKILL"), 120_000);
  const status = await new Promise<number | null>((done) => child.once("close", done));
  clearTimeout(timer);
  return { status, text: Buffer.concat(pieces).toString() };
};

/** `storage.file.layer` for `@agent-auth/login/storage/file#layer`. */
const fileNameOf = ({ id }: DocumentedExport): string => id.split(/[/#]/).slice(2).join(".");

/**
 * Writes each example to its own file, `<folder>/<package>/<name>.<n>.ts`, those of documents to
 * `<folder>/documents/<name>.<n>.ts`, and a tsconfig.json for them all.
 */
export const writeExamples = (
  folder: string,
  packages: ReadonlyMap<string, ReadonlyArray<DocumentedExport>>,
  documents: ReadonlyMap<string, ReadonlyArray<string>>,
): void => {
  rmSync(folder, { recursive: true, force: true });
  const write = (group: string, name: string, examples: ReadonlyArray<string>) => {
    for (const [index, code] of examples.entries())
      writeFileSync(join(folder, group, `${name}.${index + 1}.ts`), `${code}export {};\n`);
  };
  for (const [group, exports] of packages) {
    mkdirSync(join(folder, group), { recursive: true });
    for (const one of exports) write(group, fileNameOf(one), one.examples);
  }
  mkdirSync(join(folder, "documents"), { recursive: true });
  for (const [name, examples] of documents) write("documents", name, examples);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: {
        noEmit: true,
        declaration: false,
        declarationMap: false,
        rewriteRelativeImportExtensions: false,
        allowImportingTsExtensions: true,
        noUnusedLocals: false,
        noUnusedParameters: false,
        typeRoots: [join(root, "node_modules/@types")],
      },
      include: ["."],
    }),
  );
};

/** What the compiler says about the examples in a folder; empty if it accepts them all. */
export const typecheckExamples = async (folder: string): Promise<string> => {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { status, text } = await output(process.execPath, [tsc, "-p", folder], process.env);
  return status === 0 ? "" : text;
};

const Line = z.object({
  file: z.string(),
  state: z.enum(["started", "passed", "failed"]),
  error: z.string().optional(),
});

export interface ExampleRun {
  readonly passed: ReadonlyArray<string>;
  /** File and error of each. */
  readonly failed: ReadonlyArray<string>;
}

/** Runs the examples of one package, without network and in their own home folder. */
export const runExamples = async (folder: string): Promise<ExampleRun> => {
  const home = mkdtempSync(join(tmpdir(), "agent-auth-examples-"));
  const { text } = await output(
    process.execPath,
    [
      "--conditions=@agent-auth/source",
      "--disable-warning=ExperimentalWarning",
      "--import",
      join(import.meta.dirname, "offline.ts"),
      join(import.meta.dirname, "run.ts"),
      folder,
    ],
    { PATH: process.env["PATH"], HOME: home, USERPROFILE: home, CODEX_HOME: join(home, ".codex") },
  );
  rmSync(home, { recursive: true, force: true });
  const states = new Map<string, z.infer<typeof Line>>();
  let rest = "";
  for (const line of text.split("\n"))
    try {
      const read = Line.parse(JSON.parse(line));
      states.set(read.file, read);
    } catch {
      rest += `${line}\n`;
    }
  const all = [...states.values()];
  return {
    passed: all.filter(({ state }) => state === "passed").map(({ file }) => file),
    failed: [
      ...all
        .filter(({ state }) => state !== "passed")
        .map(({ file, error }) => `${file}: ${error ?? `the process ended while it ran\n${rest}`}`),
      ...(all.length === 0 ? [`no example ran\n${rest}`] : []),
    ],
  };
};
