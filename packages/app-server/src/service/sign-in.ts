import { LoginInputInvalid } from "@agent-auth/login/errors";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import {
  type AccountServiceError,
  ExternalAuthActive,
  HostOwnsAuth,
  WorkspaceSwitchRefused,
} from "../errors/index.ts";
import type { Announcements } from "./announcements.ts";
import type { Lending } from "./lent-tokens.ts";
import type { LoginSessions } from "./login-sessions.ts";
import type {
  AccountManager,
  AccountServiceShape,
  AccountSessions,
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
  readonly listSessions: AccountServiceShape["sessions"];
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
        return logins.startBrowser({ useHostedSuccessPage: request.useHostedSuccessPage ?? false });
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
    const { announcements, inOrder, lending, logins, manager } = this.#options;
    return inOrder(
      Effect.gen({ self: this }, function* () {
        yield* this.#refuseIfHostOwns();
        yield* logins.cancelPending;
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
        announcements.announceCompleted(null, null);
        announcements.announce();
      }),
    );
  };

  readonly releaseOwner: SignInOperations["releaseOwner"] = (owner) => {
    const { announcements, inOrder, lending } = this.#options;
    return inOrder(
      Effect.map(lending.release(owner), (ended) => {
        if (ended) announcements.announce();
      }),
    );
  };

  readonly switchSession: SignInOperations["switchSession"] = ({ accountId, sessionId }) => {
    const { announcements, inOrder, listSessions, logins, manager } = this.#options;
    return Effect.gen({ self: this }, function* () {
      yield* this.#refuseIfHostOwns();
      if (accountId === "") return yield* refuseSwitch("accountId must not be empty");
      const listed = yield* listSessions();
      if (listed.activeSessionId === null || listed.activeSessionId !== sessionId)
        return yield* refuseSwitch("Only the active managed account session can be switched");
      if (logins.isPending())
        return yield* refuseSwitch(
          "Finish or cancel the current login before switching workspaces",
        );
      if (listed.sessions[0]?.selectedWorkspaceAccountId === accountId) return listed;
      if (!offers(yield* listSessions({ refreshWorkspaceMetadata: true }), accountId))
        return yield* refuseSwitch("The selected workspace is unavailable");
      yield* inOrder(
        Effect.map(manager.switchWorkspace(accountId), () => announcements.announce()),
      );
      return yield* listSessions();
    });
  };
}

const offers = ({ sessions: [session] }: AccountSessions, accountId: string): boolean =>
  session?.workspaces.some((workspace) => workspace.accountId === accountId) === true;

const refuseSwitch = (reason: string) => Effect.fail(new WorkspaceSwitchRefused({ reason }));
