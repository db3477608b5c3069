import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { describeSource } from "../errors/credential.ts";
import { StoreConflict, type StoreError } from "../errors/store.ts";
import type { SaveOptions, StoreImplementation } from "./credential-store.ts";

/**
 * Makes the check of `expected` for a store whose changes are excluded by a lock: reads the store, and fails with
 * `StoreConflict` if another version is stored. If the store cannot be read, it fails with that error.
 */
export const assertVersionOf =
  (load: StoreImplementation["load"]) =>
  (
    operation: StoreConflict["operation"],
    { expected }: Pick<SaveOptions, "expected"> = {},
  ): Effect.Effect<void, StoreError> =>
    expected === undefined
      ? Effect.void
      : Effect.flatMap(load, (stored) => {
          const found = Option.getOrUndefined(stored);
          return (found?.version ?? null) === expected
            ? Effect.void
            : Effect.fail(
                new StoreConflict({
                  where: found === undefined ? "the store" : describeSource(found.source),
                  operation,
                }),
              );
        });
