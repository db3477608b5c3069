// Fails if a package imports, or declares, anything but the layers below it; if modules import each other in a circle,
// for types only or dynamically included; if a file has a folder of the same name beside it; or if a docstring or README
// imports a module that the package does not export. Neither TypeScript's project references nor a lint rule that works
// with this compiler sees all of these (docs/decisions/0002-boundaries-by-own-script.md).
import { resolve } from "node:path";
import { checkPackage } from "./check.ts";
import { checkModules } from "./modules.ts";
import { readWorkspace } from "./workspace.ts";

const workspace = readWorkspace(resolve(process.argv[2] ?? `${import.meta.dirname}/../../..`));
const problems = [
  ...workspace.packages.flatMap((pkg) =>
    checkPackage(workspace, pkg).map((problem) => `${pkg.manifest.name}: ${problem}`),
  ),
  ...workspace.others.flatMap(({ dir, manifest }) =>
    checkModules(dir, manifest).map((problem) => `${manifest.name}: ${problem}`),
  ),
];
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
} else {
  console.log(`${workspace.packages.length} packages import only from lower layers`);
}
