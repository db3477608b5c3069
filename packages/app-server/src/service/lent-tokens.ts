import { maxTimerMs } from "@agent-auth/agent-identity/http/timeouts";
import { refreshAheadMs } from "@agent-auth/login/credential/expiry";
import type { LoginError } from "@agent-auth/login/errors";
import type { ExternalAuthProvider, ExternalTokens } from "@agent-auth/login/manager";
import { decodeUnverifiedClaims } from "@agent-auth/login/oauth/id-token-claims";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import type * as Scope from "effect/Scope";
import {
  ExternalAuthDisabled,
  ExternalWorkspaceNotAllowed,
  LentTokenInvalid,
  LentTokensNotRefreshed,
} from "../errors/index.ts";
import { askOwner } from "./ask-owner.ts";
import { allowedWorkspaceIds, isChatgptForbidden, type Restrictions } from "./restrictions.ts";
import type { AccountManager, LentTokens, TokenOwner } from "./types.ts";

/** The tokens that a client lends. Only one set is in use at a time. */
export interface Lending {
  /** Whether lent tokens are in use. */
  readonly isActive: () => boolean;
  /** Fails if the configuration forbids all lent tokens, or those of this workspace. */
  readonly check: (
    tokens: LentTokens,
  ) => Effect.Effect<void, ExternalAuthDisabled | ExternalWorkspaceNotAllowed | LentTokenInvalid>;
  /** Makes the tokens current. */
  readonly use: (tokens: LentTokens, owner: TokenOwner) => Effect.Effect<void, LoginError>;
  /** Ends the lending of this owner. True if its tokens were in use and no longer are. */
  readonly release: (owner: TokenOwner) => Effect.Effect<boolean>;
  /** Forgets the tokens, which the manager has dropped. */
  readonly forget: () => void;
}

interface LendingOptions {
  readonly manager: AccountManager;
  readonly config: Restrictions;
  /** Whether tokens stay when their owner leaves. */
  readonly keep: boolean;
  readonly scope: Scope.Scope;
}

/** Pause before the client is asked again ahead of expiry. */
const ASK_AGAIN_MS = 30_000;

interface Current {
  readonly owner: TokenOwner;
  tokens: LentTokens;
  /** Whether the owner has left and its tokens stay. */
  isOrphaned: boolean;
  timer?: Fiber.Fiber<unknown>;
}

export const makeLending = (options: LendingOptions): Lending => new LentTokenUse(options);

class LentTokenUse implements Lending {
  readonly #options: LendingOptions;
  #current: Current | undefined;

  constructor(options: LendingOptions) {
    this.#options = options;
  }

  readonly isActive = (): boolean => this.#current !== undefined;

  readonly check: Lending["check"] = ({ accessToken, chatgptAccountId }) => {
    const { config } = this.#options;
    if (isChatgptForbidden(config)) return Effect.fail(new ExternalAuthDisabled());
    const allowed = allowedWorkspaceIds(config);
    if (allowed !== undefined && !allowed.includes(chatgptAccountId))
      return Effect.fail(new ExternalWorkspaceNotAllowed({ allowed, found: chatgptAccountId }));
    return decodeUnverifiedClaims(accessToken) === undefined
      ? Effect.fail(new LentTokenInvalid())
      : Effect.void;
  };

  readonly use: Lending["use"] = (tokens, owner) =>
    Effect.gen({ self: this }, function* () {
      const before = this.#current;
      this.forget();
      const lent: Current = { owner, tokens, isOrphaned: false };
      this.#current = lent;
      yield* Effect.tapError(this.#options.manager.setExternalProvider(this.#provider(lent)), () =>
        this.#restore(before),
      );
      yield* this.#watchExpiry(lent);
    });

  readonly release: Lending["release"] = (owner) =>
    Effect.gen({ self: this }, function* () {
      const { keep, manager } = this.#options;
      if (this.#current?.owner !== owner) return false;
      this.#current.isOrphaned = true;
      if (keep) return false;
      this.forget();
      yield* Effect.catch(manager.setExternalProvider(null), (error) =>
        Effect.logWarning(
          `the lent tokens were dropped, and the credential that is used instead cannot be loaded: ${error.message}`,
        ),
      );
      return true;
    });

  readonly forget = (): void => {
    const timer = this.#current?.timer;
    this.#current = undefined;
    if (timer !== undefined) Effect.runFork(Fiber.interrupt(timer));
  };

  #provider(lent: Current): ExternalAuthProvider {
    return {
      name: lent.owner.name,
      tokens: ({ previousAccountId, reason }) =>
        reason === "initial"
          ? Effect.succeed(toExternal(lent.tokens))
          : this.#refresh(lent, previousAccountId ?? null),
    };
  }

  #refresh(
    lent: Current,
    previousAccountId: string | null,
  ): Effect.Effect<ExternalTokens, LentTokensNotRefreshed> {
    return Effect.gen({ self: this }, function* () {
      if (lent.isOrphaned) {
        return yield* new LentTokensNotRefreshed({
          reason: "the client that lent these tokens has disconnected",
        });
      }
      const tokens = yield* askOwner(lent.owner, previousAccountId);
      yield* Effect.mapError(
        this.check(tokens),
        () => new LentTokensNotRefreshed({ reason: "auth refresh returned invalid credentials" }),
      );
      lent.tokens = tokens;
      if (this.#current === lent) yield* this.#watchExpiry(lent);
      return toExternal(tokens);
    });
  }

  /**
   * Asks for new tokens before these expire. A request that gets a 401 asks as well, so a failure is only logged as a
   * warning.
   */
  #watchExpiry(lent: Current): Effect.Effect<void> {
    const { manager, scope } = this.#options;
    return Effect.gen({ self: this }, function* () {
      if (lent.timer !== undefined) yield* Effect.forkIn(Fiber.interrupt(lent.timer), scope);
      delete lent.timer;
      const expiresAtMs = decodeUnverifiedClaims(lent.tokens.accessToken)?.expiresAtMs;
      const nowMs = yield* Clock.currentTimeMillis;
      if (expiresAtMs === undefined || expiresAtMs <= nowMs) return;
      const waitMs = expiresAtMs - nowMs - Math.min(refreshAheadMs, (expiresAtMs - nowMs) / 2);
      const refresh = Effect.catch(manager.refresh("proactive_expiry"), (error) =>
        Effect.andThen(
          Effect.logWarning(`lent tokens could not be refreshed ahead of expiry: ${error.message}`),
          Effect.sleep(ASK_AGAIN_MS),
        ),
      );
      const isOver = Effect.map(
        Clock.currentTimeMillis,
        (now) => this.#current !== lent || lent.isOrphaned || now >= expiresAtMs,
      );
      const untilOver: Effect.Effect<void> = Effect.flatMap(isOver, (isOver) =>
        isOver ? Effect.void : Effect.andThen(refresh, untilOver),
      );
      lent.timer = yield* Effect.forkIn(
        Effect.andThen(Effect.sleep(Math.min(waitMs, maxTimerMs)), untilOver),
        scope,
      );
    });
  }

  /**
   * Restores the tokens that were in use before, if the new ones cannot be used: a client that lends unusable tokens
   * must not end the use of others.
   */
  #restore(before: Current | undefined): Effect.Effect<void> {
    const { manager } = this.#options;
    return Effect.gen({ self: this }, function* () {
      this.forget();
      this.#current = before;
      yield* Effect.ignore(
        manager.setExternalProvider(before === undefined ? null : this.#provider(before)),
      );
      if (before !== undefined) yield* this.#watchExpiry(before);
    });
  }
}

const toExternal = (tokens: LentTokens): ExternalTokens => ({
  accessToken: tokens.accessToken,
  accountId: tokens.chatgptAccountId,
  ...(tokens.chatgptPlanType === undefined ? {} : { planType: tokens.chatgptPlanType }),
});
