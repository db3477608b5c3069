import type { Credential } from "@agent-auth/login/credential";
import type { LoginError } from "@agent-auth/login/errors";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import type * as Scope from "effect/Scope";
import type { Announcements } from "./announcements.ts";
import type { AccountManager, InOrder } from "./types.ts";

interface Options {
  readonly manager: AccountManager;
  readonly announcements: Announcements;
  readonly inOrder: InOrder;
  readonly scope: Scope.Scope;
}

/** Reads the credential that a request would carry, and refreshes it for clients that ask for that. */
export class CurrentCredential {
  readonly #options: Options;
  #arrivals = 0;
  /** Loads lent tokens, for which their owner may have to be asked. */
  #asked: Fiber.Fiber<unknown, LoginError> | undefined;
  #lastForced:
    | {
        readonly covers: number;
        readonly error: LoginError | null;
        /** The current credential after that refresh. */
        readonly credential: Credential | null;
      }
    | undefined;
  /** When the last forced refreshes began, oldest first. */
  #forcedAtMs: ReadonlyArray<number> = [];

  constructor(options: Options) {
    this.#options = options;
  }

  /** Returns the credential that a request would carry, null if there is none. Fails if it cannot be used. */
  read(refreshToken: boolean): Effect.Effect<Credential | null, LoginError> {
    const { announcements, inOrder } = this.#options;
    const current = Effect.tap(this.#withoutLender(), (credential) =>
      Effect.sync(() => announcements.announceRouting(credential)),
    );
    const adoptRefresh = Effect.sync(() => announcements.adoptRefresh());
    return Effect.clockWith((clock) => {
      const arrival = { number: ++this.#arrivals, atMs: clock.currentTimeMillisUnsafe() };
      if (!refreshToken) return inOrder(Effect.ensuring(current, adoptRefresh));
      return inOrder(
        Effect.flatMap(this.#forceRefresh(arrival), (error) =>
          error?._tag === "RefreshRejected" ? Effect.fail(error) : current,
        ).pipe(Effect.ensuring(adoptRefresh)),
      );
    });
  }

  /** As `manager.current`. A client that is asked for new tokens and does not answer does not delay the others. */
  #withoutLender(): Effect.Effect<Credential | null, LoginError> {
    const { announcements, manager, scope } = this.#options;
    return Effect.suspend(() => {
      const current = Effect.map(manager.current, Option.getOrNull);
      const lent = announcements.current;
      if (lent?._tag !== "ExternalChatgpt") return current;
      if (this.#asked?.pollUnsafe() === undefined && this.#asked !== undefined)
        return Effect.succeed(lent);
      return Effect.flatMap(Effect.forkIn(current, scope), (fiber) => {
        this.#asked = fiber;
        return Effect.raceFirst(Fiber.join(fiber), Effect.as(Effect.sleep(LENDER_MS), lent));
      });
    });
  }

  /**
   * Refreshes a ChatGPT sign-in. Callers that asked before the last such refresh ended share its outcome, and so do those
   * of a client that asks in a loop: each refresh spends a token of the authority.
   */
  #forceRefresh(arrival: {
    readonly number: number;
    readonly atMs: number;
  }): Effect.Effect<LoginError | null> {
    const { announcements, manager } = this.#options;
    return Effect.gen({ self: this }, function* () {
      const last = this.#lastForced;
      const [oldest = -Infinity] = this.#forcedAtMs;
      const isTooFrequent =
        this.#forcedAtMs.length === MAX_FORCED &&
        arrival.atMs - oldest < FORCED_WITHIN_MS &&
        last?.credential === announcements.current;
      if (last !== undefined && (arrival.number <= last.covers || isTooFrequent)) return last.error;
      const loaded = yield* Effect.option(manager.current);
      const credential = Option.getOrNull(Option.flatten(loaded)) ?? announcements.current;
      if (credential?._tag !== "Chatgpt") return null;
      // It was due, or another program refreshed it, since the call.
      const isFresh = (credential.lastRefreshMs ?? 0) >= arrival.atMs;
      if (!isFresh) this.#forcedAtMs = [...this.#forcedAtMs, arrival.atMs].slice(-MAX_FORCED);
      const refreshed = yield* Effect.result(
        isFresh ? Effect.succeed(credential) : manager.refresh("forced"),
      );
      const error = Result.isFailure(refreshed) ? refreshed.failure : null;
      this.#lastForced = { covers: this.#arrivals, error, credential: announcements.current };
      return error;
    });
  }
}

/** Milliseconds to wait for a client that is asked for new tokens. */
const LENDER_MS = 1_000;

/** Forced refreshes that are made within ten seconds. Further calls get the current credential. */
const MAX_FORCED = 3;
const FORCED_WITHIN_MS = 10_000;
