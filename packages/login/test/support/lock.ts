import * as Effect from "effect/Effect";
import { HomeLock } from "../../src/storage/lock/index.ts";

/** Runs an effect under the home lock of the layer that it is given. */
export const locked = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  HomeLock.use((lock) => lock.withLock(effect));
