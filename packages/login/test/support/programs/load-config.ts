// Loads the configuration of the CODEX_HOME argv[2] with the overrides that follow. Prints the store, and the TOML
// parser's name where that was loaded.
import { registerHooks } from "node:module";
import * as Effect from "effect/Effect";
import { loadConfig } from "../../../src/config/index.ts";

let hasParser = false;
registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier === "smol-toml") hasParser = true;
    return next(specifier, context);
  },
});

const [home = "", ...overrides] = process.argv.slice(2);
const codexHome = { path: home, explicit: true };
const config = await Effect.runPromise(loadConfig({ codexHome, overrides }));
console.log(config.credentialsStore);
if (hasParser) console.log("smol-toml");
