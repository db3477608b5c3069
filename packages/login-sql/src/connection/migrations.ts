import * as Effect from "effect/Effect";
import * as Migrator from "effect/sql/Migrator";
import * as SqlClient from "effect/sql/SqlClient";
import type { SqlError } from "effect/sql/SqlError";

/** Names of what a store has in a database. */
export interface TableNames {
  readonly document: string;
  readonly migrations: string;
  /** The channel of NOTIFY. */
  readonly channel: string;
  readonly announce: string;
}

export const tableNames = (prefix: string, schema: string | undefined): TableNames => {
  const inSchema = schema === undefined ? "" : `${schema}.`;
  return {
    document: `${inSchema}${prefix}document`,
    migrations: `${inSchema}${prefix}migrations`,
    channel: `${prefix}document`,
    announce: `${inSchema}${prefix}announce`,
  };
};

/** Creates or updates the tables. Several programs may run it at once: one does the work, the others wait. */
export const migrate = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  names: TableNames,
): Effect.fn.Return<void, SqlError | Migrator.MigrationError> {
  const first = Effect.andThen(createDocument(sql, names), announceChanges(sql, names));
  const loader = Effect.succeed([
    [1, "document", Effect.succeed(first)] satisfies Migrator.ResolvedMigration,
  ]);
  yield* Migrator.make({})({ loader, table: names.migrations }).pipe(
    Effect.provideService(SqlClient.SqlClient, sql),
  );
});

const createDocument = (sql: SqlClient.SqlClient, names: TableNames) =>
  sql`CREATE TABLE ${sql(names.document)} (
    sign_in TEXT PRIMARY KEY,
    version BIGINT NOT NULL DEFAULT 0,
    content TEXT,
    write_id TEXT,
    written_at_ms BIGINT,
    previous_version BIGINT,
    previous TEXT,
    outcome TEXT,
    outcome_number BIGINT NOT NULL DEFAULT 0,
    fence BIGINT NOT NULL DEFAULT 0,
    holder TEXT,
    lease_until_ms BIGINT,
    spending_version BIGINT,
    spending_holder TEXT,
    spending_since_ms BIGINT
  )`;

/**
 * Every change of a document or an outcome is announced, whichever program makes it, and so is the end of a lease. The payload is a hash
 * of the row's key: every role may listen.
 */
const announceChanges = (sql: SqlClient.SqlClient, names: TableNames) =>
  sql.onDialectOrElse({
    orElse: () => Effect.void,
    pg: () =>
      Effect.gen(function* () {
        const channel = sql.literal(`'${names.channel}'`);
        yield* sql`CREATE FUNCTION ${sql(names.announce)}() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN
            PERFORM pg_notify(${channel}, md5(NEW.sign_in));
            RETURN NULL;
          END
        $$`;
        yield* sql`CREATE TRIGGER announce AFTER UPDATE ON ${sql(names.document)} FOR EACH ROW
          WHEN (OLD.version <> NEW.version OR OLD.outcome_number <> NEW.outcome_number
            OR (OLD.holder IS NOT NULL AND NEW.holder IS NULL))
          EXECUTE FUNCTION ${sql(names.announce)}()`;
      }),
  });
