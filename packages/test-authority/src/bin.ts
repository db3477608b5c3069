#!/usr/bin/env node
import { parseCommandLine, usage } from "./command-line.ts";

const parsed = parseCommandLine(process.argv.slice(2));
if (parsed._tag === "Help") process.stdout.write(usage);
else if (parsed._tag === "Wrong") {
  process.stderr.write(`${parsed.message}\n\n${usage}`);
  process.exitCode = 2;
} else {
  // Loaded only now, so that help and usage come at once.
  const { run } = await import("./run.ts");
  process.exitCode = await run(parsed.options);
}
