import type { Config } from "@agent-auth/login/config";
import type { LoginEnvironment } from "@agent-auth/login/config/environment";
import { AccountsNotShared } from "@agent-auth/login/errors";
import { assertOwnerTrusted } from "@agent-auth/login/storage/privilege";
import { type KeySource, openSqlStorage } from "@agent-auth/login-sql";
import * as Effect from "effect/Effect";
import { CliError } from "./errors/cli-error.ts";

// Loaded only if a shared store is configured, as is all of login-sql.

type SharedStore = NonNullable<Config["sharedStore"]>;

/**
 * Returns the storage of the shared store that the configuration names. Nothing is connected, read or run yet. Fails if
 * the settings are not usable, or if another user's file has them.
 */
export const openSharedStore = Effect.fnUntraced(function* (
  { configFiles, keys, url }: SharedStore,
  environment: LoginEnvironment,
  account: string | undefined,
) {
  if (account !== undefined) return yield* new AccountsNotShared();
  yield* Effect.forEach(configFiles, assertOwnerTrusted, { discard: true });
  return yield* openSqlStorage({ url, keys: yield* keySource(keys, environment) });
});

const keySource = (
  keys: SharedStore["keys"],
  environment: LoginEnvironment,
): Effect.Effect<KeySource, CliError> => {
  switch (keys?._tag) {
    case "File":
      return Effect.succeed({ _tag: "File", path: keys.path });
    case "Command":
      return Effect.succeed({ _tag: "Command", argv: [...keys.argv] });
    case "Variable": {
      const text = environment.variable(keys.name);
      return text === undefined
        ? Effect.fail(noKeys(`the variable ${keys.name} with its keys is not set`))
        : Effect.succeed({ _tag: "Text", keys: text });
    }
    case undefined:
      return Effect.fail(noKeys("it is encrypted, and no keys are configured"));
  }
};

const noKeys = (reason: string) =>
  new CliError({
    code: "CLI_STORE_KEYS_MISSING",
    message: `the shared store cannot be opened: ${reason}`,
    hint: "Set AGENT_AUTH_STORE_KEY_FILE to a file of keys, one line each: ID:BASE64-OF-32-BYTES.",
  });
