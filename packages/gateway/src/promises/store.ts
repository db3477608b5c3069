import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import type { SqlClient } from "effect/sql/SqlClient";
import { StoreUnavailable } from "../errors/index.ts";

/** Where agents and tasks are stored. */
export type StoreOptions =
  /** In this process. Agents register again after a restart. */
  | { readonly kind: "memory" }
  /** In a SQLite file, which several processes on one machine can share. */
  | { readonly kind: "sqlite"; readonly path: string }
  /** In PostgreSQL. Requires the package `@effect/sql-pg`. The URL may contain a password. */
  | { readonly kind: "postgres"; readonly url: string; readonly maxConnections?: number }
  /** In the database of the Effect `SqlClient` that the layer provides. */
  | { readonly kind: "sql"; readonly layer: Layer.Layer<SqlClient, unknown> };

const cannotConnect = () =>
  Effect.fail(
    new StoreUnavailable({ store: "registry", problem: "the database cannot be reached" }),
  );

const importPostgres = async () => {
  try {
    return await import("@effect/sql-pg/PgClient");
  } catch {
    throw new TypeError('a store of kind "postgres" needs the package @effect/sql-pg');
  }
};

/** Returns a layer with the `SqlClient` of a store; `undefined` for a store in memory. */
export const storeLayer = async (
  store: StoreOptions,
): Promise<Layer.Layer<SqlClient, StoreUnavailable> | undefined> => {
  switch (store.kind) {
    case "memory":
      return undefined;
    case "sqlite": {
      const { layerSqlite } = await import("../sql/sqlite.ts");
      return layerSqlite({ path: store.path });
    }
    case "postgres": {
      const { layer } = await importPostgres();
      const { url, maxConnections = 10 } = store;
      return Layer.catch(layer({ url: Redacted.make(url), maxConnections }), () =>
        Layer.effectContext(cannotConnect()),
      );
    }
    case "sql":
      return Layer.catch(store.layer, () => Layer.effectContext(cannotConnect()));
  }
};
