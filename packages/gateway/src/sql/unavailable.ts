import type { SqlError } from "effect/sql/SqlError";
import { type StoreName, StoreUnavailable } from "../errors/index.ts";

/** What a failed statement means: nothing was decided. The driver's message may quote values, so only its kind is kept. */
export const unavailable =
  (store: StoreName) =>
  (error: SqlError): StoreUnavailable =>
    new StoreUnavailable({ store, problem: `a statement failed (${error.reason._tag})` });
