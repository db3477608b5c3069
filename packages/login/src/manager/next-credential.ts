import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { isExpired } from "../credential/expiry.ts";
import type { LoginError } from "../errors/index.ts";
import { isExchangeError } from "../errors/workload-identity.ts";
import { ensureLoaded, refreshIfDue } from "./current.ts";
import type { ManagerDeps } from "./deps.ts";
import type { Shared } from "./shared-operations.ts";
import type { ManagerState, MaybeCredential } from "./state.ts";

/** How long a request waits for a refresh while the old credential is still valid. The refresh continues after that. */
const MAX_WAIT_MS = 2_000;
/**
 * Milliseconds after a wait that timed out in which requests do not wait at all: about the time in which an attempt
 * series fails.
 */
const SLOW_AUTHORITY_MS = 30_000;

type Result = Effect.Effect<MaybeCredential, LoginError>;

/** The credential for the next request, before its workspace is checked, and the refresh that it shares. */
export interface NextCredential {
  readonly loaded: Result;
  readonly refreshDue: Result;
}

/**
 * Returns the loaded credential if it is not due. Otherwise it waits for the load or the refresh; while the old credential
 * is still valid, only for a short time.
 */
export const makeNextCredential = (
  deps: ManagerDeps,
  { reload, shared }: { readonly reload: Result; readonly shared: Shared },
): NextCredential => {
  let slowUntilMs = 0;
  const refreshEnded = Effect.sync(() => {
    slowUntilMs = 0;
  });
  const refreshDue = shared("refresh due", Effect.ensuring(refreshIfDue(deps), refreshEnded));

  const loaded: Result = Effect.clockWith((clock) => {
    const state = deps.state.get();
    const nowMs = clock.currentTimeMillisUnsafe();
    if (state._tag === "Loaded" && nowMs < state.dueAtMs) return state.result;
    if (state._tag === "Failed") return failed(state.error);
    if (state._tag === "Unloaded") return firstLoad;
    return whileDue(state, nowMs);
  });
  const firstLoad = Effect.andThen(
    shared("first load", ensureLoaded(deps)),
    Effect.suspend(() => loaded),
  );
  // The workload identity pauses between exchanges by itself, so asking it again costs nothing.
  const failed = (error: LoginError): Result =>
    isExchangeError(error) || error._tag === "StoreUnavailable" ? reload : Effect.fail(error);
  const whileDue = (state: Loaded, nowMs: number): Result => {
    if (!Option.exists(state.credential, (credential) => !isExpired(credential, nowMs)))
      return refreshDue;
    if (nowMs < Math.max(slowUntilMs, state.failure?.retryAtMs ?? 0)) return state.result;
    const orElse = () => {
      slowUntilMs = nowMs + SLOW_AUTHORITY_MS;
      return state.result;
    };
    return Effect.timeoutOrElse(refreshDue, { duration: MAX_WAIT_MS, orElse });
  };
  return { loaded, refreshDue };
};

type Loaded = ManagerState & { readonly _tag: "Loaded" };
