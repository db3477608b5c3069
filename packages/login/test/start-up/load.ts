// Asks a manager for the credential of its CODEX_HOME and prints, as one line of JSON, its kind and every module that
// was loaded on the way.
import { registerHooks } from "node:module";

const loaded: Array<string> = [];
registerHooks({
  load: (url, context, next) => {
    loaded.push(url);
    return next(url, context);
  },
});

const { AuthManager, layer } = await import("@agent-auth/login/manager");
const { loadConfig } = await import("@agent-auth/login/config");
const { parseEnvironment } = await import("@agent-auth/login/config/environment");
const Effect = await import("effect/Effect");
const Option = await import("effect/Option");

const environment = parseEnvironment(process.env, { homeDir: "/nonexistent" });
const credential = await Effect.runPromise(
  Effect.gen(function* () {
    const config = yield* loadConfig({ codexHome: environment.codexHome });
    const options = { environment, config, environmentCredentials: true };
    return yield* AuthManager.use((manager) => manager.current).pipe(
      Effect.provide(layer(options)),
    );
  }),
);
console.log(JSON.stringify({ kind: Option.getOrNull(credential)?._tag, loaded }));
