/** The programs of examples/runtimes on each runtime. docs/runtimes.md shows the same results as a table. */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { allRuntimes, otherRuntimes, type Runtime, why } from "@agent-auth/tools/runtimes";
import { isProof } from "@agent-auth/tools/proof";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startAuthority } from "../runtimes/support.ts";

const folder = join(import.meta.dirname, "../runtimes");
const features = readdirSync(join(folder, "features")).map((name) => name.replace(".ts", ""));

/** Runs all programs in one process, and gives the line of each. */
const runAll = async ({ command, words }: Runtime): Promise<ReadonlyArray<string>> => {
  const child = spawn(command, [...words, join(folder, "run.ts")], {
    env: { PATH: process.env["PATH"], AUTHORITY: authority.printed },
    stdio: ["ignore", "pipe", "inherit"],
  });
  return (await text(child.stdout)).split("\n");
};

let authority: Awaited<ReturnType<typeof startAuthority>>;
beforeAll(async () => {
  authority = await startAuthority();
});
afterAll(() => authority.close());

// What works in Node is tested elsewhere.
describe.each(isProof ? allRuntimes : otherRuntimes)("on $name", (runtime) => {
  let lines: Promise<ReadonlyArray<string>> | undefined;
  it.skipIf(runtime.missing !== undefined).each(features)(
    `%s works${why(runtime)}`,
    async (feature) => {
      lines ??= runAll(runtime);
      expect((await lines).find((line) => line.includes(` ${feature}`))).toBe(`ok ${feature}`);
    },
  );
});
