import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The built launcher; `npm run build` makes it, and nx does so before every test. */
export const binary = join(import.meta.dirname, "../../dist/agent-auth.cjs");

/** The program that the tests run, if it is not the launcher: the executable of `npm run executable`. */
const executable = process.env["AGENT_AUTH_BINARY"] || undefined;

if (!existsSync(executable ?? binary))
  throw new Error(
    executable === undefined
      ? "dist is missing: run `npm run build` in packages/cli"
      : `AGENT_AUTH_BINARY does not exist: ${executable}`,
  );

/** The words that start agent-auth. */
export const agentAuth: readonly [string, ...string[]] =
  executable === undefined ? [process.execPath, binary] : [executable];

/** Whether the executable is tested instead of the Node build. */
export const isExecutable = executable !== undefined;

/** The end of the title of a test that does not apply to the executable. */
export const nodeBuildOnly = (why: string): string => (isExecutable ? ` (skipped: ${why})` : "");

export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program of Node takes ten times as long to start under Wine. */
const defaultTimeoutMs = process.platform === "win32" ? 60_000 : 20_000;

export interface CliOptions {
  readonly stdin?: string | Uint8Array;
  /** Added to the few variables that every child gets. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds after which the child is killed; default 20 000, under Wine 60 000. */
  readonly timeoutMs?: number;
}

/** A temporary CODEX_HOME, and the binary run in it. Disposing of it removes the folder. */
export class CliHome implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(config = ""): Promise<CliHome> {
    const home = new CliHome(await mkdtemp(join(tmpdir(), "agent-auth-cli-")));
    if (config !== "") await writeFile(join(home.path, "config.toml"), config);
    return home;
  }

  get authFile(): string {
    return join(this.path, "auth.json");
  }

  /** The text of auth.json; null where there is none. */
  readAuth(): Promise<string | null> {
    return readFile(this.authFile, "utf8").catch(() => null);
  }

  writeAuth(content: unknown): Promise<void> {
    const text = typeof content === "string" ? content : JSON.stringify(content, null, 2);
    return writeFile(this.authFile, text, { mode: 0o600 });
  }

  /** The variables of a child: this home, nothing of the person who runs the tests. */
  env(extra: CliOptions["env"] = {}): Record<string, string> {
    return { PATH: process.env["PATH"] ?? "", HOME: this.path, CODEX_HOME: this.path, ...extra };
  }

  spawn(args: readonly string[], options: CliOptions = {}) {
    const [program, ...words] = agentAuth;
    return spawn(program, [...words, ...args], {
      env: this.env(options.env),
      stdio: ["pipe", "pipe", "pipe"],
    });
  }

  /** Runs one command to its end. */
  run(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
    return ended(this.spawn(args, options), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Feeds stdin, collects what a child says, and waits for its end. */
export const ended = (
  child: ReturnType<CliHome["spawn"]>,
  options: Pick<CliOptions, "stdin" | "timeoutMs"> = {},
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on("error", () => {});
    child.stdin.end(options.stdin ?? "");
    const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? defaultTimeoutMs);
    child.on("error", reject);
    child.on("close", (exitCode, signal) => {
      clearTimeout(timer);
      resolve({ exitCode, signal, stdout: text(stdout), stderr: text(stderr) });
    });
  });

const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString();
