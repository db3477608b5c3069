import { homedir } from "node:os";
import { AuthManager, layer } from "@agent-auth/login/manager";
import { loadConfig } from "@agent-auth/login/config";
import { parseEnvironment } from "@agent-auth/login/config/environment";
import * as Console from "effect/Console";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";

const environment = parseEnvironment(process.env, { homeDir: homedir() });

const program = Effect.gen(function* () {
  const manager = yield* AuthManager;
  const credential = yield* manager.current;
  yield* Console.log(Option.isNone(credential) ? "signed out" : credential.value._tag);
});

await loadConfig({ codexHome: environment.codexHome }).pipe(
  Effect.flatMap((config) =>
    Effect.provide(program, layer({ environment, config, environmentCredentials: true })),
  ),
  Effect.catch((error) => Console.error(`${error.message} (${error.code}). ${error.hint}`)),
  Effect.runPromise,
);
