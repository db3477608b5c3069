import { overridingEnvVar } from "@agent-auth/login/config/environment";
import { CredentialStore } from "@agent-auth/login/storage";
import { layer as configuredStore } from "@agent-auth/login/storage/configured";
import { describeSource } from "@agent-auth/login/errors";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { type Stats, statSync } from "node:fs";
import { join } from "node:path";
import type { Session } from "../session.ts";
import { type Check, failed, ok, warn } from "./check.ts";

const OTHERS_WRITE = 0o022;
const OTHERS_READ_OR_WRITE = 0o077;

/** The folder of `auth.json` and `config.toml`: is it there, and whose is it? */
export const checkHome = ({ environment }: Session): Check => {
  const { path, explicit } = environment.codexHome;
  const named = explicit ? `${path} (CODEX_HOME)` : path;
  const stat = statOf(path);
  if (stat === undefined) return ok("home", `${named} is made when something is stored`);
  return hasModeBits(stat, OTHERS_WRITE)
    ? warn("home", `${named} can be changed by other users`, `chmod go-w ${path}`)
    : ok("home", named);
};

/** `config.toml` was read before any check runs; this says which file that was. */
export const checkConfig = ({ environment, config }: Session): Check => {
  const path = join(environment.codexHome.path, "config.toml");
  const from = statOf(path) === undefined ? `no ${path}, defaults apply` : path;
  return ok("config", `${from}; backend ${config.chatgptBaseUrl}`);
};

/** Who may look into `auth.json`. */
export const checkFileMode = ({ environment }: Session): Check => {
  const path = join(environment.codexHome.path, "auth.json");
  const stat = statOf(path);
  if (stat === undefined) return ok("file", `no ${path}`);
  return hasModeBits(stat, OTHERS_READ_OR_WRITE)
    ? warn("file", `${path} can be read or changed by other users`, `chmod 600 ${path}`)
    : ok("file", `${path} is for its owner only`);
};

/** Windows keeps no such bits; what it reports there means nothing. */
const hasModeBits = (stat: Stats, bits: number) =>
  process.platform !== "win32" && (stat.mode & bits) !== 0;

const statOf = (path: string) => {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
};

/** Can the store be read, and written to? Nothing is changed. */
export const checkStore = ({ environment, config }: Session): Effect.Effect<Check> => {
  const store = configuredStore({
    mode: config.credentialsStore,
    codexHome: environment.codexHome,
  });
  return Effect.gen(function* () {
    const { load, checkWritable } = yield* CredentialStore;
    const stored = yield* load;
    yield* checkWritable;
    const what = Option.match(stored, {
      onNone: () => "holds nothing",
      onSome: ({ source }) => `holds a credential in ${describeSource(source)}`,
    });
    return config.credentialsStore === "ephemeral"
      ? warn("store", "ephemeral: nothing is kept", 'Set cli_auth_credentials_store = "file"')
      : ok("store", `${config.credentialsStore}: ${what}`);
  }).pipe(
    Effect.provide(store),
    Effect.catch((error) => Effect.succeed(failed("store", error))),
  );
};

/** A variable that rules is easily forgotten. */
export const checkEnvironment = ({ environment }: Session): Check => {
  const variable = overridingEnvVar(environment, { environmentCredentials: true });
  return variable === undefined
    ? ok("environment", "no credential in the environment")
    : warn("environment", `${variable} is used instead of anything stored`, `unset ${variable}`);
};
