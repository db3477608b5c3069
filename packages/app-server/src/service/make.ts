import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { arch, hostname, platform, release, type } from "node:os";
import { join } from "node:path";
import { accountBackendUrl } from "@agent-auth/agent-identity/urls";
import { hasWorkloadIdentity } from "@agent-auth/login/config/environment";
import { resolveProvider } from "@agent-auth/model-provider/provider";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import * as Stream from "effect/Stream";
import type { AccountServiceError } from "../errors/index.ts";
import {
  authModeOf,
  noAccount,
  otherProvider,
  signedInAs,
  signedOut,
  tokenOf,
  unusable,
} from "./account-info.ts";
import { Announcements } from "./announcements.ts";
import { AccountBackend } from "./backend/index.ts";
import { CurrentCredential } from "./current-credential.ts";
import { makeGatewayLogins } from "./gateway-logins.ts";
import { makeWithHttp } from "./http.ts";
import { makeLending } from "./lent-tokens.ts";
import { makeLoginSessions } from "./login-sessions.ts";
import { SignIn } from "./sign-in.ts";
import { isUuid } from "./uuid.ts";
import type {
  AccountManager,
  AccountServiceOptions,
  AccountServiceShape,
  InOrder,
} from "./types.ts";

/** Builds an account service over a manager. It holds no process-wide state. Fails if the provider is misconfigured. */
export const makeAccountService = Effect.fnUntraced(function* (
  manager: AccountManager,
  options: AccountServiceOptions,
): Effect.fn.Return<AccountServiceShape, AccountServiceError, Scope.Scope> {
  const { allowInsecureHttp = false, config, environment } = options;
  const scope = yield* Effect.scope;
  const provider = yield* Effect.fromResult(
    resolveProvider({ config, environment, allowInsecureHttp }),
  );
  const base = yield* accountBackendUrl(config.chatgptBaseUrl, { allowInsecureHttp });
  const { describe, originator } = describeServer(options);
  const turns = Semaphore.makeUnsafe(1);
  const inOrder: InOrder = (operation) => turns.withPermit(operation);
  const announcements = new Announcements(manager);
  yield* Effect.forkIn(
    Stream.runForEach(manager.changes, () =>
      inOrder(Effect.sync(() => announcements.announceChange())),
    ),
    scope,
    { startImmediately: true },
  );
  const credential = new CurrentCredential({ manager, announcements, inOrder, scope });
  const backend = new AccountBackend({
    base,
    options,
    manager,
    originator,
    run: Effect.runPromiseWith(yield* Effect.context()),
    current: credential.read(false),
  });
  yield* Effect.addFinalizer(() => backend.close);
  const keep = options.keepLentTokens ?? false;
  const lending = makeLending({ manager, config, scope, keep });
  const withHttp = makeWithHttp(options, originator);
  const logins = makeLoginSessions({
    manager,
    options,
    scope,
    originator,
    withHttp,
    whileStored: (stored) => announcements.whileStored(stored),
    onCompleted: (loginId, error) => {
      announcements.announceCompleted(loginId, error);
      if (error === null) announcements.announce();
    },
  });
  const gatewayLogins = makeGatewayLogins({
    options,
    defaultProvider: { id: provider.id, name: provider.name },
    scope,
    withHttp,
    onChanged: (params) =>
      announcements.source.emit({ method: "account/gatewayOAuth/changed", params }),
  });
  const signIn = new SignIn({
    manager,
    announcements,
    inOrder,
    lending,
    logins,
    gatewayLogins,
    backend,
    scope,
    hostOwnsAuth: options.hostOwnsAuth ?? hasWorkloadIdentity(environment, config),
  });
  const { source } = announcements;
  return {
    ...(provider.auth._tag === "SignedIn"
      ? accountState(credential, announcements, config.chatgptBaseUrl)
      : noAccountState),
    startLogin: signIn.startLogin,
    cancelLogin: signIn.cancelLogin,
    logout: signIn.logout,
    lendTokens: signIn.lendTokens,
    releaseOwner: signIn.releaseOwner,
    switchSession: signIn.switchSession,
    rateLimits: backend.rateLimits,
    tokenUsage: backend.tokenUsage,
    workspaceMessages: backend.workspaceMessages,
    sendAddCreditsNudgeEmail: backend.sendAddCreditsNudgeEmail,
    consumeRateLimitResetCredit: backend.consumeRateLimitResetCredit,
    sessions: backend.sessions,
    readGateway: gatewayLogins.read,
    loginToGateway: gatewayLogins.login,
    cancelGatewayLogin: gatewayLogins.cancel,
    events: source.events,
    listen: source.listen,
    describe,
    remoteControl: remoteControlOf(environment.codexHome.path),
  };
});

type AccountState = Pick<AccountServiceShape, "authStatus" | "read">;

/** The account, for a provider that uses the signed-in credential. */
const accountState = (
  credential: CurrentCredential,
  announcements: Announcements,
  chatgptBaseUrl: string,
): AccountState => ({
  read: ({ refreshToken = false } = {}) =>
    Effect.match(credential.read(refreshToken), {
      onFailure: (error) => noAccount(unusable(error), true),
      onSuccess: (found) =>
        found === null ? noAccount(signedOut, true) : signedInAs(found, chatgptBaseUrl),
    }),
  authStatus: ({ includeToken = false, refreshToken = false } = {}) =>
    Effect.match(credential.read(refreshToken), {
      // Codex names the credential that it cannot use as well.
      onFailure: () => ({
        authMethod: authModeOf(announcements.current),
        authToken: null,
        requiresOpenaiAuth: true,
      }),
      onSuccess: (found) => ({
        authMethod: authModeOf(found),
        authToken: includeToken && found !== null ? tokenOf(found) : null,
        requiresOpenaiAuth: true,
      }),
    }),
});

/** For a provider that uses another credential. */
const noAccountState: AccountState = {
  read: () => Effect.succeed(noAccount(otherProvider, false)),
  authStatus: () =>
    Effect.succeed({ authMethod: null, authToken: null, requiresOpenaiAuth: false }),
};

/** What clients are told about this server, and the originator of its requests: the first client's name by default. */
const describeServer = (
  options: AccountServiceOptions,
): Pick<AccountServiceShape, "describe"> & { readonly originator: () => string } => {
  const { environment, version: ownVersion = "0.0.0" } = options;
  let firstClient: string | undefined;
  const originator = () =>
    environment.originator ?? options.originator ?? firstClient ?? "codex_cli_rs";
  return {
    originator,
    describe: ({ name, version }) => {
      firstClient ??= name;
      const system = `${type()} ${release()}; ${arch()}`;
      return {
        userAgent: `${originator()}/${ownVersion} (${system}) unknown (${name}; ${version})`,
        codexHome: environment.codexHome.path,
        platformFamily: platform() === "win32" ? "windows" : "unix",
        platformOs: platformNames[platform()] ?? platform(),
      };
    },
  };
};

/** Codex tells every client this after `initialize`, with the id that it keeps in its home. */
const remoteControlOf = (codexHome: string): AccountServiceShape["remoteControl"] => {
  let installationId: string | undefined;
  return () => ({
    status: "disabled",
    serverName: hostname(),
    installationId: (installationId ??= readInstallationId(codexHome) ?? randomUUID()),
    environmentId: null,
  });
};

const readInstallationId = (codexHome: string): string | undefined => {
  try {
    const text = readFileSync(join(codexHome, "installation_id"), "utf8").trim();
    return isUuid(text) ? text : undefined;
  } catch {
    return undefined; // Codex has not run here
  }
};

const platformNames: Partial<Record<NodeJS.Platform, string>> = {
  darwin: "macos",
  win32: "windows",
};
