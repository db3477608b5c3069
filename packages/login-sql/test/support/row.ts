import * as Effect from "effect/Effect";
import type { SqlClient } from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";
import * as Result from "effect/Result";
import { openDatabase } from "../../src/connection/index.ts";
import { parseStoreUrl } from "../../src/connection/target.ts";

type Cells = Readonly<Record<string, unknown>>;

const withDatabase = <A>(
  url: string,
  use: (sql: SqlClient, table: string) => Effect.Effect<A, SqlError>,
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const target = Result.getOrThrow(parseStoreUrl(url));
      const database = yield* openDatabase(target, { migrate: true, statementTimeoutMs: 5_000 });
      return yield* database.run((sql) => use(sql, database.names.document));
    }),
  );

/** The row of a sign-in, as a reader of the table sees it. */
export const rowOf = (url: string, signIn = "default") =>
  Effect.map(
    withDatabase<ReadonlyArray<Cells>>(
      url,
      (sql, table) => sql<Cells>`SELECT * FROM ${sql(table)} WHERE sign_in = ${signIn}`,
    ),
    ([row]) => row ?? {},
  );

/** Changes cells, as a user with write access to the table could. */
export const setRow = (url: string, signIn: string, cells: Cells) =>
  Effect.forEach(Object.entries(cells), ([name, value]) =>
    withDatabase(
      url,
      (sql, table) =>
        sql`UPDATE ${sql(table)} SET ${sql(name)} = ${value} WHERE sign_in = ${signIn}`,
    ),
  );
