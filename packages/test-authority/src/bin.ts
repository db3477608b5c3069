#!/usr/bin/env node
import manifest from "@agent-auth/test-authority/package.json" with { type: "json" };
import { parseCommandLine, usage } from "./command/options.ts";

const parsed = parseCommandLine(process.argv.slice(2));
if (parsed._tag === "Help") process.stdout.write(usage);
else if (parsed._tag === "Version") process.stdout.write(`${manifest.version}\n`);
else if (parsed._tag === "Wrong") {
  process.stderr.write(`${parsed.message}\n\n${usage}`);
  process.exitCode = 2;
} else {
  // Loaded only now, so that help and usage come at once.
  const { run } = await import("./command/run.ts");
  process.exitCode = await run(parsed.options);
}
