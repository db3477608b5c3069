import { hasWorkspacePolicy } from "@agent-auth/agent-identity/record/plan";
import type { Credential } from "@agent-auth/login/credential";
import { type LoginError, LoginInputInvalid } from "@agent-auth/login/errors";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import type * as Scope from "effect/Scope";
import {
  type AccountServiceError,
  ExternalAuthActive,
  HostOwnsAuth,
  WorkspaceSwitchRefused,
} from "../errors/index.ts";
import { isSameSignIn } from "./account-info.ts";
import type { Announcements } from "./announcements.ts";
import type { AccountBackend } from "./backend/index.ts";
import type { SwitchableWorkspace } from "./backend/workspaces.ts";
import type { GatewayLogins } from "./gateway-logins.ts";
import type { Lending } from "./lent-tokens.ts";
import type { LoginSessions } from "./login-sessions.ts";
import type {
  AccountManager,
  AccountServiceShape,
  InOrder,
  LoginRequest,
  LoginStarted,
} from "./types.ts";

interface SignInOptions {
  readonly manager: AccountManager;
  readonly announcements: Announcements;
  readonly inOrder: InOrder;
  readonly lending: Lending;
  readonly logins: LoginSessions;
  readonly gatewayLogins: Pick<GatewayLogins, "cancel">;
  readonly backend: Pick<AccountBackend, "listWorkspaces" | "sessions">;
  readonly scope: Scope.Scope;
  /** Whether clients may not sign in or out. */
  readonly hostOwnsAuth: boolean;
}

type SignInOperations = Pick<
  AccountServiceShape,
  "cancelLogin" | "lendTokens" | "logout" | "releaseOwner" | "startLogin" | "switchSession"
>;

/** The operations that change who is signed in. */
export class SignIn implements SignInOperations {
  readonly #options: SignInOptions;

  constructor(options: SignInOptions) {
    this.#options = options;
  }

  readonly startLogin: SignInOperations["startLogin"] = (request) => {
    const { inOrder, lending } = this.#options;
    return inOrder(
      Effect.gen({ self: this }, function* () {
        yield* this.#refuseIfHostOwns();
        if (lending.isActive()) return yield* new ExternalAuthActive();
        return yield* this.#start(request);
      }),
    );
  };

  #refuseIfHostOwns(): Effect.Effect<void, HostOwnsAuth> {
    return this.#options.hostOwnsAuth ? Effect.fail(new HostOwnsAuth()) : Effect.void;
  }

  #start(request: LoginRequest): Effect.Effect<LoginStarted, AccountServiceError> {
    const { logins } = this.#options;
    switch (request.type) {
      case "apiKey":
        return this.#loginWithApiKey(request.apiKey);
      case "chatgpt":
        return Effect.map(
          logins.startBrowser({ useHostedSuccessPage: request.useHostedSuccessPage ?? false }),
          (started) => ({ type: "chatgpt", ...started }),
        );
      case "chatgptDeviceCode":
        return logins.startDevice;
    }
  }

  #loginWithApiKey(apiKey: Redacted.Redacted): Effect.Effect<LoginStarted, AccountServiceError> {
    const { announcements, logins, manager } = this.#options;
    return Effect.gen(function* () {
      yield* manager.checkLogin("apiKey");
      if (Redacted.value(apiKey).trim() === "")
        return yield* new LoginInputInvalid({ what: "API key", reason: "it is empty" });
      yield* logins.cancelPending;
      yield* manager.loginWithApiKey(apiKey);
      announcements.announceCompleted(null, null);
      announcements.announce();
      return { type: "apiKey" as const };
    });
  }

  readonly cancelLogin: SignInOperations["cancelLogin"] = (loginId) =>
    this.#options.inOrder(this.#options.logins.cancel(loginId));

  get logout(): SignInOperations["logout"] {
    const { announcements, gatewayLogins, inOrder, lending, logins, manager } = this.#options;
    return inOrder(
      Effect.gen({ self: this }, function* () {
        yield* this.#refuseIfHostOwns();
        yield* logins.cancelPending;
        yield* gatewayLogins.cancel;
        yield* manager.logout;
        lending.forget();
        announcements.announceLogout();
      }),
    );
  }

  readonly lendTokens: SignInOperations["lendTokens"] = (tokens, owner) => {
    const { announcements, inOrder, lending, logins } = this.#options;
    return inOrder(
      Effect.gen({ self: this }, function* () {
        yield* this.#refuseIfHostOwns();
        yield* lending.check(tokens);
        yield* logins.cancelPending;
        yield* Effect.tapError(lending.use(tokens, owner), () =>
          Effect.sync(() => announcements.adoptRefresh()),
        );
        const lent = announcements.current;
        const { planType = "unknown" } = lent?.account ?? {};
        if (hasWorkspacePolicy(planType)) return yield* this.#checkPolicy(lent);
        announcements.announceCompleted(null, null);
        announcements.announce();
      }),
    );
  };

  /** Loads the workspace's managed configuration, and then says how the login ended. Other operations do not wait. */
  #checkPolicy(lent: Credential | null): Effect.Effect<void> {
    const { announcements, manager, scope } = this.#options;
    announcements.postpone();
    return Effect.result(manager.current).pipe(
      Effect.tap((checked) =>
        Effect.sync(() => {
          if (!isSameSignIn(lent, announcements.current)) return; // other tokens, or a logout
          const error = Result.isFailure(checked) ? checked.failure : undefined;
          announcements.announceCompleted(null, error === undefined ? null : policyText(error));
          if (error === undefined) announcements.announce();
        }),
      ),
      Effect.forkIn(scope, { startImmediately: true }),
      Effect.asVoid,
    );
  }

  readonly releaseOwner: SignInOperations["releaseOwner"] = (owner) => {
    const { announcements, inOrder, lending } = this.#options;
    return inOrder(
      Effect.map(lending.release(owner), (ended) => {
        if (ended) announcements.announce();
      }),
    );
  };

  readonly switchSession: SignInOperations["switchSession"] = ({
    accountId,
    allowBrowserLogin = false,
    sessionId,
  }) => {
    const { announcements, backend, inOrder, logins, manager } = this.#options;
    return Effect.gen({ self: this }, function* () {
      yield* this.#refuseIfHostOwns();
      if (accountId === "") return yield* refuseSwitch("accountId must not be empty");
      const listed = yield* backend.sessions();
      const [session] = listed.sessions;
      if (session === undefined || listed.activeSessionId !== sessionId)
        return yield* refuseSwitch("Only the active managed account session can be switched");
      if (logins.isPending())
        return yield* refuseSwitch(
          "Finish or cancel the current login before switching workspaces",
        );
      if (session.selectedWorkspaceAccountId === accountId) return listed;
      const found = yield* backend.listWorkspaces;
      const target = found.find(({ shown }) => shown.accountId === accountId);
      if (target?.access === "signIn" && allowBrowserLogin)
        return yield* inOrder(logins.startBrowser({ workspace: signInTo(target, session.email) }));
      const refusal = refusals[target?.access ?? "unavailable"];
      if (refusal !== null) return yield* refuseSwitch(refusal);
      yield* inOrder(
        Effect.map(manager.switchWorkspace(accountId), () => announcements.announce()),
      );
      return yield* backend.sessions();
    });
  };
}

/** Codex's text, with the reason. */
const policyText = (error: LoginError): string =>
  error._tag === "WorkspaceCheckFailed"
    ? `failed to load workspace requirements: ${error.message}`
    : error.message;

/** Codex's texts for the workspaces whose token cannot be exchanged. */
const refusals: Readonly<Record<SwitchableWorkspace["access"], string | null>> = {
  token: null,
  signIn: "The selected workspace requires a new sign-in",
  government: "Sign in to switch government workspaces",
  unavailable: "The selected workspace is unavailable",
};

const signInTo = ({ connection, shown }: SwitchableWorkspace, email: string | null) => ({
  id: shown.accountId,
  ...(email === null ? {} : { loginHint: email }),
  ...(connection === undefined ? {} : { connection }),
});

const refuseSwitch = (reason: string) => Effect.fail(new WorkspaceSwitchRefused({ reason }));
