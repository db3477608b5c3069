import { makeSqliteClient, openWithWriteAheadLog } from "@agent-auth/agent-identity/sqlite";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as SqlClient from "effect/sql/SqlClient";
import { StoreUnavailable } from "../errors/index.ts";

/** Where the database is. */
export interface SqliteOptions {
  /** A file that processes of this machine share, or `:memory:`. */
  readonly path: string;
  /** How long a write waits for another process, milliseconds. Default 5000. */
  readonly busyTimeoutMs?: number;
}

/**
 * Provides `SqlClient` over Node's own SQLite, with write-ahead logging: for one host, and for tests. Fails with
 * `StoreUnavailable` if the file cannot be opened.
 *
 * @example
 * ```ts
 * import { layerSqlite } from "@agent-auth/gateway/sql/sqlite";
 *
 * const layer = layerSqlite({ path: ":memory:" });
 * ```
 */
export const layerSqlite = ({
  path,
  busyTimeoutMs = 5000,
}: SqliteOptions): Layer.Layer<SqlClient.SqlClient, StoreUnavailable> =>
  Layer.effect(
    SqlClient.SqlClient,
    Effect.gen(function* () {
      const open = () => openWithWriteAheadLog(path, "normal");
      const sql = yield* makeSqliteClient({ open, busyMs: busyTimeoutMs });
      const problem = `the SQLite file ${path} cannot be opened`;
      yield* Effect.mapError(
        sql`SELECT count(*) FROM sqlite_schema`,
        () => new StoreUnavailable({ store: "registry", problem }),
      );
      return sql;
    }),
  );
