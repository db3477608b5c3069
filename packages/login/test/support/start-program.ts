import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { join } from "node:path";

const running = new Set<ChildProcess>();

/** Kills the programs that a test has left running; `clean-up.ts` calls it after each test. */
export const killPrograms = (): void => {
  for (const child of running) child.kill("SIGKILL");
};

/** The command line of one of the programs beside this file, run by this Node from the sources. */
export const program = (name: string, ...args: ReadonlyArray<string>): ReadonlyArray<string> => [
  process.execPath,
  "--conditions=@agent-auth/source",
  join(import.meta.dirname, "programs", `${name}.ts`),
  ...args,
];

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Starts a command; it is killed at the latest when the test ends. */
export const start = (command: ReadonlyArray<string>, options: SpawnOptions = {}): Started => {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  running.add(child);
  const output = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => {
      running.delete(child);
      resolve({ status, ...output });
    });
  });
  return { child, ended };
};
