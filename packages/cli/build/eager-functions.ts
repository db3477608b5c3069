import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { OutputChunk, Plugin } from "rolldown";
import { callableFunctions, type Range } from "./callable-functions.ts";
import { type RehearsalHome, rehearsalHomes } from "./rehearsal-homes.ts";

/**
 * Puts the functions that a command calls at every start into parentheses, which tells V8 to compile them with the
 * file. Node's compile cache holds what is compiled when a file is loaded; without parentheses functions are compiled
 * at their first call, again at each start, and that was a third of a command's time. A run of the bundle, signed in
 * and offline, shows which functions these are.
 *
 * @param homes the sign-ins with which the command needs no network
 */
export const eagerFunctions = (homes: readonly RehearsalHome[]): Plugin => ({
  name: "eager-functions",
  generateBundle(_, bundle) {
    const chunks = Object.values(bundle).filter((file) => file.type === "chunk");
    const called = rehearse(chunks, homes);
    for (const chunk of chunks) {
      const ranges = called.get(chunk.fileName);
      if (ranges !== undefined) chunk.code = parenthesized(chunk.code, ranges);
    }
  },
});

/** Which ranges of which files were called. */
type Called = ReadonlyMap<string, ReadonlySet<string>>;

const rehearse = (chunks: readonly OutputChunk[], homes: readonly RehearsalHome[]): Called => {
  const folder = mkdtempSync(join(tmpdir(), "agent-auth-build-"));
  try {
    for (const { fileName, code } of chunks) writeFileSync(join(folder, fileName), code);
    const entry = chunks.find((chunk) => chunk.isEntry);
    if (entry === undefined) throw new Error("a bundle without an entry");
    const coverage = join(folder, "coverage");
    const files = rehearsalHomes();
    for (const name of homes) {
      const home = join(folder, name);
      mkdirSync(home);
      for (const [file, text] of Object.entries(files[name]))
        writeFileSync(join(home, file), text, { mode: 0o600 });
      runIn(home, join(folder, entry.fileName), coverage);
    }
    return calledIn(coverage);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const runIn = (home: string, entry: string, coverage: string) => {
  const { SystemRoot } = process.env; // Windows starts nothing without it
  const env = { SystemRoot, HOME: home, CODEX_HOME: home, NODE_V8_COVERAGE: coverage };
  const script = `require(${JSON.stringify(entry)}).start([])`;
  const { status, stderr } = spawnSync(process.execPath, ["-e", script], { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`${basename(entry)} ended with ${status}: ${stderr}`);
};

interface Coverage {
  readonly result: ReadonlyArray<{
    readonly url: string;
    readonly functions: ReadonlyArray<{
      readonly ranges: ReadonlyArray<{
        readonly startOffset: number;
        readonly endOffset: number;
        readonly count: number;
      }>;
    }>;
  }>;
}

const calledIn = (coverage: string): Called => {
  const called = new Map<string, Set<string>>();
  for (const file of readdirSync(coverage)) {
    const { result }: Coverage = JSON.parse(readFileSync(join(coverage, file), "utf8"));
    for (const { url, functions } of result) {
      const ranges = called.get(basename(url)) ?? new Set();
      called.set(basename(url), ranges);
      for (const {
        ranges: [whole],
      } of functions)
        if (whole !== undefined && whole.count > 0)
          ranges.add(keyOf([whole.startOffset, whole.endOffset]));
    }
  }
  return called;
};

/** Names a range. */
export const keyOf = ([start, end]: Range): string => `${start}-${end}`;

/** The same program: parentheses change neither what a function is nor the name that it gets from its position. */
export const parenthesized = (code: string, called: ReadonlySet<string>): string => {
  const opens = new Map<number, number>();
  const closes = new Map<number, number>();
  for (const range of callableFunctions(code)) {
    if (!called.has(keyOf(range))) continue;
    opens.set(range[0], (opens.get(range[0]) ?? 0) + 1);
    closes.set(range[1], (closes.get(range[1]) ?? 0) + 1);
  }
  const at = [...new Set([...opens.keys(), ...closes.keys()])].toSorted((a, b) => a - b);
  let done = 0;
  let text = "";
  for (const position of at) {
    const marks = ")".repeat(closes.get(position) ?? 0) + "(".repeat(opens.get(position) ?? 0);
    text += code.slice(done, position) + marks;
    done = position;
  }
  return text + code.slice(done);
};
