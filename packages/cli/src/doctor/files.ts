import { overridingEnvVar } from "@agent-auth/login/config/environment";
import { CredentialStore } from "@agent-auth/login/storage";
import { CodexHomeUnusable, describeSource } from "@agent-auth/login/errors";
import { HomeLock, layer as homeLock } from "@agent-auth/login/storage/lock";
import type { OtherUsers } from "@agent-auth/login/storage/windows";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { statSync } from "node:fs";
import { join } from "node:path";
import { type Session, storeLayer } from "../session.ts";
import { type Check, failed, ok, warn } from "./check.ts";

const OTHERS_WRITE = 0o022;
const OTHERS_READ_OR_WRITE = 0o077;

/** The folder of `auth.json` and `config.toml`: whether it exists and who can change it. */
export const checkHome = Effect.fnUntraced(function* ({
  environment,
}: Session): Effect.fn.Return<Check> {
  const { path, explicit, notFound } = environment.codexHome;
  if (notFound !== undefined) {
    const { hint, message } = new CodexHomeUnusable({ reason: notFound });
    return credentialVariable(environment) === undefined
      ? warn("home", message, hint)
      : ok("home", `${message}; it is not needed, because a variable provides the credential`);
  }
  const named = explicit ? `${path} (CODEX_HOME)` : path;
  const stat = statOf(path);
  if (stat?.isDirectory() === false || isBelowFile(path))
    return ok("home", `${named} is not a folder: there is no configuration and nothing is stored`);
  if (stat === undefined)
    return ok("home", `${named} does not exist yet; it is created when something is stored`);
  if (process.platform === "win32")
    return accessListCheck("home", path, yield* othersOnWindows(path, "write"));
  return (stat.mode & OTHERS_WRITE) !== 0
    ? warn("home", `${named} can be changed by other users`, `chmod go-w ${path}`)
    : ok("home", named);
});

/** Which `config.toml` applies; it was read before the checks started. */
export const checkConfig = ({ environment, config }: Session): Check => {
  const { path: folder, notFound } = environment.codexHome;
  const path = join(folder, "config.toml");
  const named = notFound === undefined ? path : "config.toml";
  const from = statOf(path) === undefined ? `no ${named}, defaults apply` : path;
  return ok("config", `${from}; backend ${config.chatgptBaseUrl}`);
};

/** Who can read `auth.json`. */
export const checkFileMode = Effect.fnUntraced(function* ({
  environment,
}: Session): Effect.fn.Return<Check> {
  const { path: folder, notFound } = environment.codexHome;
  const path = join(folder, "auth.json");
  const stat = statOf(path);
  if (stat === undefined) return ok("file", `no ${notFound === undefined ? path : "auth.json"}`);
  if (process.platform === "win32")
    return accessListCheck("file", path, yield* othersOnWindows(path, "any"));
  return (stat.mode & OTHERS_READ_OR_WRITE) !== 0
    ? warn("file", `${path} can be read or changed by other users`, `chmod 600 ${path}`)
    : ok("file", `${path} is readable by its owner only`);
});

/** Windows has no modes; what Node reports there means nothing. */
const othersOnWindows = (path: string, access: "any" | "write"): Effect.Effect<OtherUsers> =>
  Effect.promise(async () => {
    const { findOtherUsers } = await import("@agent-auth/login/storage/windows");
    return findOtherUsers(path, access);
  });

/** The result of reading the access list of CODEX_HOME or of `auth.json` on Windows. */
export const accessListCheck = (name: "file" | "home", path: string, found: OtherUsers): Check => {
  if (found._tag === "Unknown")
    return warn(
      name,
      `${path}: its access list was not read (${found.reason})`,
      `To see who has access: icacls "${path}"`,
    );
  const [access, rights] = name === "home" ? ["changed", "(OI)(CI)F"] : ["read or changed", "F"];
  if (found.users.length > 0)
    return warn(
      name,
      `${path} can be ${access} by ${found.users.join(", ")}`,
      // The numbers are the system and the administrators, whose names depend on the language of Windows.
      `icacls "${path}" /inheritance:r /grant:r "%USERNAME%:${rights}" "*S-1-5-18:${rights}" "*S-1-5-32-544:${rights}"`,
    );
  const only = "only by its owner, administrators and the system";
  return ok(name, name === "home" ? path : `${path} can be accessed ${only}`);
};

const statOf = (path: string) => {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
};

const isBelowFile = (path: string): boolean => {
  try {
    statSync(path);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOTDIR";
  }
};

const credentialVariable = (environment: Session["environment"]) =>
  overridingEnvVar(environment, { environmentCredentials: true });

/**
 * Checks that the store can be read and written, and which credential the next request takes: a variable's or the
 * store's. Nothing is changed. A store that cannot be used is only a warning if a variable provides the credential.
 */
export const checkStoreAndEnvironment = (
  session: Session,
): Effect.Effect<readonly [store: Check, environment: Check]> => {
  const { config, environment } = session;
  const variable = credentialVariable(environment);
  return Effect.gen(function* () {
    const { checkWritable, describe, load } = yield* CredentialStore;
    const stored = Option.map(yield* load, ({ source }) => describeSource(source));
    yield* checkWritable;
    const content = Option.match(stored, {
      onNone: () =>
        describe.mode === "custom"
          ? `${describe.places.map(describeSource).join()} holds nothing`
          : "holds nothing",
      onSome: (place) => `holds a credential in ${place}`,
    });
    const check =
      describe.mode === "ephemeral" && variable === undefined
        ? warn("store", "ephemeral: nothing is kept", 'Set cli_auth_credentials_store = "file"')
        : describe.mode === "custom"
          ? ok("store", `shared: ${content}. Codex does not read it`)
          : ok("store", `${config.credentialsStore}: ${content}`);
    return [check, environmentCheck(variable, Option.getOrUndefined(stored))] as const;
  }).pipe(
    Effect.provide(storeLayer(session)),
    Effect.catch((error) =>
      Effect.succeed([
        failed("store", error, variable === undefined ? "fail" : "warn"),
        environmentCheck(variable, undefined),
      ] as const),
    ),
  );
};

/** A variable alone is fine, as in a CI job. If a credential is stored as well, the variable is easily forgotten. */
const environmentCheck = (variable: string | undefined, stored: string | undefined): Check => {
  if (variable === undefined) return ok("environment", "no credential in the environment");
  return stored === undefined
    ? ok("environment", `${variable} provides the credential`)
    : warn(
        "environment",
        `${variable} is used instead of the credential in ${stored}`,
        `To use the stored one: unset ${variable}`,
      );
};

/**
 * Whether the lock of CODEX_HOME can be taken: a refresh and a sign-in need it. Released at once. Skipped if the folder
 * does not exist, because taking the lock would create it.
 */
export const checkLock = ({ environment, storage }: Session): Effect.Effect<Check> => {
  const { codexHome } = environment;
  if (storage !== undefined)
    return Effect.succeed(ok("lock", "not needed: the shared store has its own lock"));
  if (codexHome.notFound !== undefined || statOf(codexHome.path)?.isDirectory() !== true) {
    return Effect.succeed(ok("lock", "not needed yet"));
  }
  return HomeLock.use((lock) => lock.tryLock).pipe(
    Effect.map((state) => {
      if (state._tag === "Held") {
        return warn(
          "lock",
          `${state.path} is held by another program`,
          "Wait for it, or end the program that uses this CODEX_HOME",
        );
      }
      return state.excludesCodex
        ? ok("lock", "can be taken")
        : warn(
            "lock",
            "can be taken, but does not exclude Codex",
            "Install the optional package koffi, and keep CODEX_HOME on a local file system",
          );
    }),
    Effect.provide(homeLock({ codexHome })),
    Effect.catch((error) => Effect.succeed(failed("lock", error))),
  );
};
