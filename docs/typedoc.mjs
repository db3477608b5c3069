// Documents every entry point of every package as a module.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const entryPointsOf = (manifest) =>
  Object.values(JSON.parse(readFileSync(manifest, "utf8")).exports)
    .map((target) => target["@agent-auth/source"])
    .filter((source) => source !== undefined)
    .map((source) => join(dirname(manifest), source));

const manifests = globSync("../packages/*/package.json", { cwd: import.meta.dirname });

export default {
  entryPoints: manifests.map((path) => join(import.meta.dirname, path)).flatMap(entryPointsOf),
  name: "agent-auth",
  tsconfig: "./tsconfig.json",
  out: "./api",
  excludeExternals: true,
  readme: "none",
  disableSources: true,
  skipErrorChecking: true,
  treatWarningsAsErrors: true,
};
