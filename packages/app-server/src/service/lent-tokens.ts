import type { Config } from "@agent-auth/login/config";
import { refreshAheadMs } from "@agent-auth/login/credential/expiry";
import type { LoginError } from "@agent-auth/login/errors";
import type { ExternalAuthProvider, ExternalTokens } from "@agent-auth/login/manager";
import { decodeUnverifiedClaims } from "@agent-auth/login/oauth/id-token-claims";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Predicate from "effect/Predicate";
import * as Redacted from "effect/Redacted";
import type * as Scope from "effect/Scope";
import {
  ExternalAuthDisabled,
  ExternalWorkspaceNotAllowed,
  LentTokenInvalid,
  LentTokensNotRenewed,
} from "../errors/index.ts";
import { ChatgptAuthTokensRefreshResponse } from "../schema/account.ts";
import type { AccountManager, LentTokens, TokenOwner } from "./types.ts";

/** The tokens that a client lends. Only one set is in use at a time. */
export interface Lending {
  /** Whether lent tokens are in use. */
  readonly isActive: () => boolean;
  /** Fails if the configuration forbids lent tokens, or these. */
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
  readonly config: Pick<Config, "forcedLoginMethod" | "forcedWorkspaceIds">;
  /** Whether tokens stay when their owner leaves. */
  readonly keep: boolean;
  readonly scope: Scope.Scope;
}

/** Milliseconds that a client has to answer, and the text that says so. */
const ANSWER_WITHIN_MS = 10_000;
const timedOut = "auth refresh request timed out after 10s";
/** Pause before the client is asked again ahead of expiry. */
const ASK_AGAIN_MS = 30_000;

interface Current {
  readonly owner: TokenOwner;
  tokens: LentTokens;
  /** Whether the owner has left and its tokens stay. */
  isOrphaned: boolean;
  timer?: Fiber.Fiber<unknown>;
}

export const makeLending = ({ config, keep, manager, scope }: LendingOptions): Lending => {
  let current: Current | undefined;

  const forget = (): void => {
    const timer = current?.timer;
    current = undefined;
    if (timer !== undefined) Effect.runFork(Fiber.interrupt(timer));
  };

  const check: Lending["check"] = ({ accessToken, chatgptAccountId }) => {
    if (config.forcedLoginMethod === "api") return Effect.fail(new ExternalAuthDisabled());
    const allowed = config.forcedWorkspaceIds;
    if (allowed !== undefined && !allowed.includes(chatgptAccountId))
      return Effect.fail(new ExternalWorkspaceNotAllowed({ allowed, found: chatgptAccountId }));
    return decodeUnverifiedClaims(accessToken) === undefined
      ? Effect.fail(new LentTokenInvalid())
      : Effect.void;
  };

  const provider = (lent: Current): ExternalAuthProvider => ({
    name: lent.owner.name,
    tokens: ({ previousAccountId, reason }) =>
      reason === "initial"
        ? Effect.succeed(toExternal(lent.tokens))
        : Effect.gen(function* () {
            if (lent.isOrphaned) {
              return yield* new LentTokensNotRenewed({
                reason: "the client that lent these tokens has disconnected",
              });
            }
            const tokens = yield* askOwner(lent.owner, previousAccountId ?? null);
            yield* Effect.mapError(
              check(tokens),
              () =>
                new LentTokensNotRenewed({ reason: "auth refresh returned invalid credentials" }),
            );
            lent.tokens = tokens;
            if (current === lent) yield* watchExpiry(lent);
            return toExternal(tokens);
          }),
  });

  /** Asks for new tokens before these expire. A request that gets a 401 asks as well, so a failure only warns. */
  const watchExpiry = Effect.fnUntraced(function* (lent: Current) {
    if (lent.timer !== undefined) yield* Effect.forkIn(Fiber.interrupt(lent.timer), scope);
    delete lent.timer;
    const expiresAtMs = decodeUnverifiedClaims(lent.tokens.accessToken)?.expiresAtMs;
    const nowMs = yield* Clock.currentTimeMillis;
    if (expiresAtMs === undefined || expiresAtMs <= nowMs) return;
    const waitMs = expiresAtMs - nowMs - Math.min(refreshAheadMs, (expiresAtMs - nowMs) / 2);
    const renew = Effect.catch(manager.refresh("proactive_expiry"), (error) =>
      Effect.andThen(
        Effect.logWarning(`lent tokens could not be renewed ahead of expiry: ${error.message}`),
        Effect.sleep(ASK_AGAIN_MS),
      ),
    );
    const isOver = Effect.map(
      Clock.currentTimeMillis,
      (now) => current !== lent || lent.isOrphaned || now >= expiresAtMs,
    );
    const untilOver: Effect.Effect<void> = Effect.flatMap(isOver, (isOver) =>
      isOver ? Effect.void : Effect.andThen(renew, untilOver),
    );
    lent.timer = yield* Effect.forkIn(
      Effect.andThen(Effect.sleep(Math.min(waitMs, MAX_SLEEP_MS)), untilOver),
      scope,
    );
  });

  /** After tokens that cannot be used: what was in use before is in use again, so that no client can take it away. */
  const restore = Effect.fnUntraced(function* (before: Current | undefined) {
    forget();
    current = before;
    yield* Effect.ignore(
      manager.setExternalProvider(before === undefined ? null : provider(before)),
    );
    if (before !== undefined) yield* watchExpiry(before);
  });

  return {
    isActive: () => current !== undefined,
    check,
    forget,
    use: Effect.fnUntraced(function* (tokens, owner) {
      const before = current;
      forget();
      const lent: Current = { owner, tokens, isOrphaned: false };
      current = lent;
      yield* Effect.tapError(manager.setExternalProvider(provider(lent)), () => restore(before));
      yield* watchExpiry(lent);
    }),
    release: Effect.fnUntraced(function* (owner) {
      if (current?.owner !== owner) return false;
      current.isOrphaned = true;
      if (keep) return false;
      forget();
      yield* Effect.catch(manager.setExternalProvider(null), (error) =>
        Effect.logWarning(`the credential below lent tokens cannot be loaded: ${error.message}`),
      );
      return true;
    }),
  };
};

/** The longest time that a timer can sleep. */
const MAX_SLEEP_MS = 2_147_483_647;

const toExternal = (tokens: LentTokens): ExternalTokens => ({
  accessToken: tokens.accessToken,
  accountId: tokens.chatgptAccountId,
  ...(tokens.chatgptPlanType === undefined ? {} : { planType: tokens.chatgptPlanType }),
});

/** Asks the owner for new tokens. The reasons are Codex's, with the client's own words added. */
const askOwner = (
  owner: TokenOwner,
  previousAccountId: string | null,
): Effect.Effect<LentTokens, LentTokensNotRenewed> =>
  Effect.tryPromise({
    try: (signal) => owner.renew({ reason: "unauthorized", previousAccountId }, signal),
    catch: (refusal) => new LentTokensNotRenewed({ reason: describeRefusal(refusal) }),
  }).pipe(
    Effect.timeoutOrElse({ duration: ANSWER_WITHIN_MS, orElse: () => notRenewed(timedOut) }),
    Effect.flatMap((answer) => {
      const parsed = ChatgptAuthTokensRefreshResponse.safeParse(answer);
      if (!parsed.success) return notRenewed("invalid auth refresh response");
      const { accessToken, chatgptAccountId, chatgptPlanType } = parsed.data;
      return Effect.succeed({
        accessToken: Redacted.make(accessToken, { label: "access_token" }),
        chatgptAccountId,
        ...(chatgptPlanType == null ? {} : { chatgptPlanType }),
      });
    }),
  );

const notRenewed = (reason: string) => Effect.fail(new LentTokensNotRenewed({ reason }));

const describeRefusal = (refusal: unknown): string => {
  const code = Predicate.hasProperty(refusal, "code") ? refusal.code : undefined;
  if (typeof code !== "number") return "auth refresh request failed: the client has disconnected";
  const text = Predicate.hasProperty(refusal, "message") ? refusal.message : undefined;
  const said = typeof text === "string" ? withoutSecrets(text) : "";
  return `auth refresh request failed: code=${code}${said === "" ? "" : ` (${said})`}`;
};

/** A client's message on one line, of at most 200 characters, without anything that looks like a token. */
const withoutSecrets = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ")
    .replace(/[\w.~+/-]{24,}=*/g, "***")
    .trim()
    .slice(0, 200);
