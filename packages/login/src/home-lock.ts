import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type { HomeLockError } from "./errors.ts";

/**
 * One holder over all tasks and processes that share a CODEX_HOME, Codex included where `flock` can be reached.
 */
export class HomeLock extends Context.Service<
  HomeLock,
  {
    /**
     * Runs the effect alone. Waits for the present holder, without blocking the process, and gives up on
     * interruption or after the layer's `maxWaitMs`. The lock ends with the effect, however that ends, and with the
     * process. An effect inside may ask again (a store's `save` does) and is let through.
     */
    readonly withLock: <A, E, R>(
      effect: Effect.Effect<A, E, R>,
    ) => Effect.Effect<A, E | HomeLockError, R>;
  }
>()("@agent-auth/login/home-lock") {}
