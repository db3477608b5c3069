import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Schedule from "effect/Schedule";
import type { LoginError } from "../errors/index.ts";
import type { CredentialState } from "./state.ts";

/**
 * Milliseconds between two checks whether a newer credential is due. Short, so that a clock that was set, or a machine
 * that slept, is noticed soon; a check reads two numbers.
 */
const CHECK_EVERY_MS = 15_000;

export interface KeepFreshOptions {
  readonly state: CredentialState;
  /** Refreshes or reloads what is due. It logs a failure that does not matter yet. */
  readonly refreshIfDue: Effect.Effect<unknown, LoginError>;
  readonly reload: Effect.Effect<unknown, LoginError>;
}

/**
 * Refreshes the credential as soon as it is due, and loads it again after a failure that may be temporary. Never ends.
 * Failed attempts are repeated with the back-off of the manager's state.
 */
export const keepFresh = (options: KeepFreshOptions): Effect.Effect<unknown> =>
  Effect.repeat(Effect.catch(step(options), warn), checks);

const checks = Schedule.jittered(Schedule.spaced(CHECK_EVERY_MS));

const step = ({
  refreshIfDue,
  reload,
  state,
}: KeepFreshOptions): Effect.Effect<unknown, LoginError> =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMs): Effect.Effect<unknown, LoginError> => {
    const now = state.get();
    const refreshLoaded = step({ refreshIfDue, reload, state });
    switch (now._tag) {
      case "Unloaded":
        return Effect.flatMap(reload, () =>
          state.get()._tag === "Loaded" ? refreshLoaded : Effect.void,
        );
      case "Failed":
        return mayPass(now.error)
          ? Effect.retry(reload, { schedule: backOff, while: mayPass })
          : Effect.void;
      case "Loaded":
        return nowMs < Math.max(now.dueAtMs, now.failure?.retryAtMs ?? 0)
          ? Effect.void
          : refreshIfDue;
    }
  });

const mayPass = (error: LoginError): boolean =>
  "remedy" in error && (error.remedy === "retry" || error.remedy === "fixNetwork");

const MAX_PAUSE_MS = 300_000;

/** 30 s, doubled up to five minutes. */
const backOff = Schedule.jittered(
  Schedule.min([Schedule.exponential(30_000), Schedule.spaced(MAX_PAUSE_MS)]),
);

const warn = (error: LoginError): Effect.Effect<void> =>
  Effect.logWarning(`the credential could not be refreshed in the background: ${error.message}`);
