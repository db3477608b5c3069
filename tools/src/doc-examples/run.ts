// Runs the examples of one folder in one process, one after the other, and prints a line of JSON about each:
// node --conditions=@agent-auth/source --import offline.ts run.ts <folder>
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder = ""] = process.argv.slice(2);
const limitMs = 20_000;
const write = process.stdout.write.bind(process.stdout);
const report = (line: object) => write(`${JSON.stringify(line)}\n`);

const exit = process.exit.bind(process);

process.stdout.write = () => true;
process.stderr.write = () => true;
process.exit = (code) => {
  throw new Error(`the example calls process.exit(${code})`);
};

let failCurrent: (error: unknown) => void = () => {};
process.on("unhandledRejection", (error) => failCurrent(error));
process.on("uncaughtException", (error) => failCurrent(error));

const messageOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

const run = async (file: string): Promise<void> => {
  report({ file, state: "started" });
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failCurrent = reject;
  const timer = setTimeout(() => reject(new Error(`still running after ${limitMs} ms`)), limitMs);
  try {
    await Promise.race([import(pathToFileURL(join(folder, file)).href), failed]);
    report({ file, state: "passed" });
  } catch (error) {
    report({ file, state: "failed", error: messageOf(error) });
  } finally {
    clearTimeout(timer);
    process.exitCode = 0;
  }
};

for (const file of readdirSync(folder).toSorted()) await run(file);
exit(0);
