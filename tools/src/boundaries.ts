// Would catch: a package that imports, or declares, anything but the floors below it; modules that import each other
// in a circle; a door named in a docstring or README that the package does not export. Neither TypeScript's project
// references nor a lint rule that runs with this compiler sees all of these.
import { resolve } from "node:path";
import { checkPackage } from "./boundaries/check.ts";
import { readWorkspace } from "./boundaries/workspace.ts";

const workspace = readWorkspace(resolve(process.argv[2] ?? `${import.meta.dirname}/../..`));
const problems = workspace.packages.flatMap((pkg) =>
  checkPackage(workspace, pkg).map((problem) => `${pkg.manifest.name}: ${problem}`),
);
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
} else {
  console.log(`${workspace.packages.length} packages keep to their floors`);
}
