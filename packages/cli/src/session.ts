import * as AuthManager from "@agent-auth/login/manager";
import { type Config, loadConfig } from "@agent-auth/login/config";
import { loadEnvironment, type LoginEnvironment } from "@agent-auth/login/config/environment";
import { layer as configuredStore } from "@agent-auth/login/storage/configured";
import type { Storage } from "@agent-auth/login/storage/custom";
import * as Effect from "effect/Effect";
import type * as Layer from "effect/Layer";
import { accountHome } from "@agent-auth/login/storage/accounts";
import type { GlobalValues } from "./argv/command-spec.ts";
import { makeNotify, type Notify } from "./terminal/write.ts";
import { version } from "./version.ts";

/** First part of the User-Agent of every request. */
export const userAgent = `agent-auth/${version}`;

/** The settings of the process: read once, then passed down. */
export interface Session {
  readonly environment: LoginEnvironment;
  readonly config: Config;
  /** The kept account that the command works on; absent for the current sign-in. */
  readonly account?: string;
  /** The shared store of the configuration; absent if it names none. */
  readonly storage?: Layer.Layer<Storage>;
  readonly notify: Notify;
}

/** Reads the environment and the configuration, with the `-c` overrides of this command line. */
export const openSession = Effect.fnUntraced(function* (globals: GlobalValues) {
  const environment = loadEnvironment(process.env);
  const config = yield* loadConfig({ ...environment, overrides: globals.config });
  const storage = yield* sharedStorage(config, environment, globals);
  const session: Session = {
    environment,
    config,
    notify: makeNotify(globals),
    ...(globals.account !== undefined && { account: globals.account }),
    ...(storage !== undefined && { storage }),
  };
  return session;
});

const sharedStorage = Effect.fnUntraced(function* (
  { sharedStore }: Config,
  environment: LoginEnvironment,
  { account }: GlobalValues,
) {
  if (sharedStore === undefined) return undefined;
  const { openSharedStore } = yield* Effect.promise(() => import("./shared-store.ts"));
  return yield* openSharedStore(sharedStore, environment, account);
});

/** The store of the current sign-in: the shared one, else the one of CODEX_HOME. */
export const storeLayer = ({ config, environment, storage }: Session) =>
  storage ??
  configuredStore({
    mode: config.credentialsStore,
    secretAuthStorage: config.secretAuthStorage ?? false,
    codexHome: environment.codexHome,
  });

/**
 * What a manager is used for: sending requests, signing in or out, looking at the credential without changing anything,
 * keeping it fresh in the background, or serving clients that sign in and out.
 */
export type ManagerUse = "requests" | "signInOrOut" | "inspection" | "keep" | "appServer";

/**
 * The manager of the process. The command line enables environment credentials, except for an app server: as in Codex,
 * API keys and agent identities in its environment do not count as a sign-in of its clients.
 */
export const managerLayer = (session: Session, use: ManagerUse) =>
  AuthManager.layer({
    // Without a CODEX_HOME there are no kept accounts; the store reports why.
    ...(session.account !== undefined &&
      session.environment.codexHome.notFound === undefined && {
        codexHome: accountHome(session.environment.codexHome.path, session.account),
      }),
    ...(session.storage !== undefined && { storage: session.storage }),
    environment: session.environment,
    config: session.config,
    environmentCredentials: use !== "appServer",
    userAgent,
    loadAtStart: use === "requests" || use === "keep",
    followStore: use === "keep" || use === "appServer",
    keepFresh: use === "keep" || use === "appServer",
    workspaceChecks: use !== "keep",
    // A JWKS on disk saves a request each time this program starts, because keys rarely change. It is kept in CODEX_HOME
    // only, not in the folder of a kept account.
    keepJwksOnDisk: session.account === undefined,
  });

/** What the layer of kept accounts needs to know about a session. */
export const keptAccountsOptions = ({ environment, config }: Session) => ({
  environment,
  config,
  environmentCredentials: true,
  userAgent,
});
