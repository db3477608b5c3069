// What a package exports is what is documented: a module for each door.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const doorsOf = (manifest) =>
  Object.values(JSON.parse(readFileSync(manifest, "utf8")).exports)
    .map((door) => door["@agent-auth/source"])
    .filter((source) => source !== undefined)
    .map((source) => join(dirname(manifest), source));

const manifests = globSync("../packages/*/package.json", { cwd: import.meta.dirname });

export default {
  entryPoints: manifests.map((path) => join(import.meta.dirname, path)).flatMap(doorsOf),
  name: "agent-auth",
  tsconfig: "./tsconfig.json",
  out: "./api",
  excludeExternals: true,
  readme: "none",
  disableSources: true,
  skipErrorChecking: true,
  treatWarningsAsErrors: true,
};
