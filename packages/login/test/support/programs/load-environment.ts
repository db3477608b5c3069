// Loads the environment and the configuration of this process and prints the store, or the message of the error on
// stderr. Warnings go to stderr.
import * as Effect from "effect/Effect";
import * as Logger from "effect/Logger";
import { loadEnvironment } from "../../../src/config/environment.ts";
import { loadConfig } from "../../../src/config/index.ts";

const toStderr = Logger.layer([Logger.make(({ message }) => console.error(String(message)))]);

await Effect.runPromise(
  loadConfig(loadEnvironment(process.env)).pipe(
    Effect.tap((config) => Effect.sync(() => console.log(config.credentialsStore))),
    Effect.catch((error) => Effect.sync(() => console.error(error.message))),
    Effect.provide(toStderr),
  ),
);
