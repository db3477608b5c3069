import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as FiberMap from "effect/FiberMap";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import type { LoginError } from "../errors/index.ts";
import { loadAndAccept } from "./current.ts";
import type { ManagerDeps, Operation } from "./deps.ts";
import type { MaybeCredential } from "./state.ts";

/** Joins the operation that runs under a key, or starts it. It continues if the caller is interrupted. */
export type Shared = (
  key: string,
  operation: Operation<MaybeCredential>,
) => Effect.Effect<MaybeCredential, LoginError>;

/** Single flight for the operations of one manager, until the scope closes. */
export const makeShared = (
  run: (operation: Operation<MaybeCredential>) => Effect.Effect<MaybeCredential, LoginError>,
): Effect.Effect<Shared, never, Scope.Scope> =>
  Effect.map(
    FiberMap.make<string, MaybeCredential, LoginError>(),
    (running) => (key, operation) =>
      Effect.suspend(() => {
        const fiber = FiberMap.getUnsafe(running, key);
        return Option.isSome(fiber)
          ? Fiber.join(fiber.value)
          : Effect.flatMap(FiberMap.run(running, key, run(operation)), Fiber.join);
      }),
  );

/**
 * Loads one after another. Callers can join a load until it begins to read, so that no caller gets a result from before its
 * call.
 */
export const makeReload = (
  deps: ManagerDeps,
  shared: Shared,
): Effect.Effect<MaybeCredential, LoginError> => {
  const loads = Semaphore.makeUnsafe(1);
  let begun = 0;
  const load = Effect.suspend(() => {
    begun += 1;
    return loadAndAccept(deps);
  });
  return Effect.suspend(() => shared(`load ${begun}`, loads.withPermit(load)));
};
