// Runs the programs below features/ in this runtime, one after the other, or only those that are named:
//   node examples/runtimes/run.ts [feature…]
//   bun examples/runtimes/run.ts [feature…]
//   deno run -A examples/runtimes/run.ts [feature…]
// Starts a test authority in Node, unless AUTHORITY holds the line that examples/runtimes/authority.ts printed. Prints one
// line for each, and exits with 1 if one failed. The packages must be built.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { connectAuthority, startAuthority } from "./support.ts";

const folder = join(import.meta.dirname, "features");
const named = process.argv.slice(2);
const features =
  named.length > 0
    ? named
    : readdirSync(folder)
        .map((name) => name.slice(0, -3))
        .toSorted();

const started = process.env["AUTHORITY"] === undefined ? await startAuthority() : undefined;
const authority = connectAuthority(started?.printed ?? process.env["AUTHORITY"] ?? "");
for (const feature of features) {
  try {
    const { default: check } = await import(`./features/${feature}.ts`);
    await check(authority);
    console.log(`ok ${feature}`);
  } catch (error) {
    console.log(`failed ${feature}: ${String(error)}`);
    console.error(error);
    process.exitCode = 1;
  }
}
started?.close();
