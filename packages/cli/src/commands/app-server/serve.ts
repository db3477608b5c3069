import { isJsonObject, parseJson } from "@agent-auth/agent-identity/encoding";
import { ListenerWithoutAuth } from "@agent-auth/app-server/errors";
import { handleAccountMethods } from "@agent-auth/app-server/methods";
import {
  defaultSocketPath,
  hostAndPort,
  isLoopback,
  type ListenAddress,
  type ListenerAuth,
  listenOnUnixSocket,
  listenOnWebSocket,
  type OpenConnection,
  parseListenAddress,
  serveStdio,
} from "@agent-auth/app-server/server";
import { AccountService, layer as accountLayer } from "@agent-auth/app-server/service";
import { allowedLoginMethods } from "@agent-auth/login/config";
import { hasWorkloadIdentity } from "@agent-auth/login/config/environment";
import { AuthManager } from "@agent-auth/login/manager";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { UsageError } from "../../argv/usage-error.ts";
import { CliError } from "../../errors/cli-error.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { reportError } from "../../errors/report.ts";
import { managerLayer, openSession, type Session } from "../../session.ts";
import { writeAnswer } from "../../terminal/write.ts";
import { canSeePeerUsers } from "../../proxy/peer-user.ts";
import { version } from "../../version.ts";
import { type AuthFlags, clockSkew, listenerAuth } from "./listener-auth.ts";
import { serveSpec } from "./specs.ts";

export interface AppServerOptions {
  readonly address: ListenAddress;
  readonly auth: AuthFlags;
  readonly allowedHosts: readonly string[];
  readonly allowOtherUsers: boolean;
  readonly startupSignOut: boolean;
  readonly printStartupConfig: boolean;
  /** The name of the client that starts the server, if it said so. */
  readonly originator?: string;
  readonly globals: GlobalValues;
}

const spec = serveSpec;

export const command: Command<typeof spec.flags, AppServerOptions> = {
  spec,
  options: ({ flags, globals }) => {
    refuseUnsupported(flags);
    const clientInfo = flags["startup-client-info"];
    if (flags["startup-sign-out"] && !flags["print-startup-config"])
      throw new UsageError("--startup-sign-out needs --print-startup-config", spec.path);
    if (flags["ws-max-clock-skew-seconds"] !== undefined)
      clockSkew(flags["ws-max-clock-skew-seconds"]);
    return {
      address: addressOf(flags),
      auth: flags,
      allowedHosts: flags["ws-allowed-host"],
      allowOtherUsers: flags["ws-allow-other-users"],
      startupSignOut: flags["startup-sign-out"],
      printStartupConfig: flags["print-startup-config"],
      ...(clientInfo !== undefined && { originator: clientName(clientInfo) }),
      globals,
    };
  },
};

/** Flags of Codex that cannot be honoured here, and why. */
const unsupported = {
  "strict-config": "only the keys of config.toml that concern authentication are read",
  "code-mode-host": "this server runs no code",
  "cloud-skills-snapshot": "this server has no skills",
} as const;

type UnsupportedFlag = keyof typeof unsupported;

const isUnsupported = (name: string): name is UnsupportedFlag => name in unsupported;

const refuseUnsupported = (flags: Readonly<Record<UnsupportedFlag, unknown>>): void => {
  for (const flag of Object.keys(unsupported).filter(isUnsupported))
    if (flags[flag] !== undefined && flags[flag] !== false)
      throw new UsageError(`--${flag} is not supported: ${unsupported[flag]}`, spec.path);
};

const addressOf = (flags: {
  readonly listen?: string | undefined;
  readonly stdio: boolean;
}): ListenAddress => {
  if (flags.listen !== undefined && flags.stdio)
    throw new UsageError("the argument '--listen <URL>' cannot be used with '--stdio'", spec.path);
  const address = parseListenAddress(flags.listen ?? "stdio://");
  if (typeof address !== "string") return address;
  const message = `invalid value '${flags.listen}' for '--listen <URL>': ${address}`;
  throw new UsageError(message, spec.path);
};

const invalid = (problem: string) => new UsageError(`--startup-client-info ${problem}`, spec.path);

const clientName = (json: string): string => {
  const value = parseJson(json);
  if (value === undefined) throw invalid("is not JSON");
  if (!isJsonObject(value)) throw invalid("must be a JSON object");
  const { name, version: ofClient } = value;
  if (typeof name !== "string" || typeof ofClient !== "string")
    throw invalid("must be a JSON object with the strings name and version");
  if (!/^[\t\x20-\x7e]+$/u.test(name)) throw invalid("has a name that is not a valid header value");
  return name;
};

/** Serves until the client on stdin disconnects, or until a signal ends the command. */
export const run = (options: AppServerOptions) =>
  appServer(options).pipe(Effect.catch((error) => Effect.sync(() => reportError("Error", error))));

const appServer = Effect.fnUntraced(function* (options: AppServerOptions) {
  const auth = yield* listenerAuth(options.auth);
  const { address } = options;
  if (address._tag === "WebSocket") yield* requireAuth(address, auth);
  if (address._tag === "Off" && !options.printStartupConfig)
    return yield* new CliError({
      code: "CLI_APP_SERVER_NO_TRANSPORT",
      message: "no transport configured; use --listen",
    });
  const session = yield* openSession(options.globals);
  if (options.startupSignOut)
    yield* AuthManager.use((manager) => manager.logout).pipe(
      Effect.provide(managerLayer(session, "signInOrOut")),
    );
  if (options.printStartupConfig) {
    writeAnswer(`${JSON.stringify(startupConfig(session))}\n`);
    return exitCode.done;
  }
  const account = accountLayer({
    environment: session.environment,
    config: session.config,
    version,
    ...(options.originator !== undefined && { originator: options.originator }),
  }).pipe(Layer.provideMerge(managerLayer(session, "appServer")));
  return yield* Effect.gen(function* () {
    // Without this credential the server is of no use, because no client may sign in instead.
    if (hasWorkloadIdentity(session.environment, session.config))
      yield* AuthManager.use((manager) => manager.current);
    return yield* Effect.scoped(serve(options, auth, session));
  }).pipe(Effect.provide(account));
});

/** Every user of the machine can reach a loopback port, so it is open without a token only with `--ws-auth none`. */
const requireAuth = (
  { host, port }: ListenAddress & { readonly _tag: "WebSocket" },
  auth: ListenerAuth | undefined,
) =>
  auth === undefined || (auth._tag === "None" && !isLoopback(host))
    ? new ListenerWithoutAuth({ address: hostAndPort(host, port), isLoopback: isLoopback(host) })
    : Effect.void;

const serve = Effect.fnUntraced(function* (
  options: AppServerOptions,
  auth: ListenerAuth = { _tag: "None" },
  session: Session,
) {
  const effects = yield* AccountService;
  const context = yield* Effect.context();
  const open: OpenConnection = (client) => handleAccountMethods({ effects, context }, client);
  const { address } = options;
  if (address._tag === "WebSocket") {
    const { allowOtherUsers, allowedHosts } = options;
    const { host, port } = address;
    const listening = yield* listenOnWebSocket({
      open,
      host,
      port,
      auth,
      allowOtherUsers,
      allowedHosts,
    });
    session.notify(webSocketBanner(listening.address, host, auth, allowOtherUsers));
    return yield* Effect.never;
  }
  if (address._tag === "Unix") {
    const home = session.environment.codexHome;
    const listening = yield* listenOnUnixSocket({
      open,
      path: address.path ?? defaultSocketPath(home.path),
      auth,
    });
    session.notify(`agent-auth app-server (Unix socket)\n  listening on: unix://${listening.path}`);
    return yield* Effect.never;
  }
  yield* serveStdio({ open });
  return exitCode.done;
});

const webSocketBanner = (
  address: string,
  host: string,
  auth: ListenerAuth,
  allowOtherUsers: boolean,
) => {
  const isOpen = allowOtherUsers || !canSeePeerUsers();
  const note = isLoopback(host)
    ? "binds localhost only (use SSH port-forwarding for remote access)"
    : "websocket auth is required for non-localhost listeners";
  return [
    "agent-auth app-server (WebSockets)",
    `  listening on: ws://${address}`,
    `  readyz: http://${address}/readyz`,
    `  healthz: http://${address}/healthz`,
    `  note: ${note}`,
    ...(auth._tag === "None"
      ? [
          `  note: ${isOpen ? "every user of this machine" : "every program of this user"} can connect`,
        ]
      : []),
  ].join("\n");
};

/** In the shape of Codex's `configRequirements/read`. */
const startupConfig = ({ config }: Session) => {
  const allowed = allowedLoginMethods(config);
  const requirements = allowed.length < 2 ? { allowedLoginMethods: allowed } : null;
  return { appServerVersion: version, configRequirements: { requirements } };
};
