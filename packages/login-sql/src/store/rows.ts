import * as Effect from "effect/Effect";
import type { Database, StatementFailure } from "../connection/index.ts";

/** The row of a sign-in. Cells that hold secrets are encrypted. */
export interface Row {
  readonly version: number;
  /** `null` if nothing is stored. */
  readonly content: string | null;
  readonly writeId: string | null;
  readonly previousVersion: number | null;
  readonly previous: string | null;
  readonly outcome: string | null;
  readonly fence: number;
  readonly holder: string | null;
  /** Whether the database's clock has passed the end of the lease; true without a lease. */
  readonly isLeaseOver: boolean;
  /** Version of the document whose refresh token is being spent, or may have been. */
  readonly spendingVersion: number | null;
  /** The holder that is spending it. */
  readonly spendingHolder: string | null;
  /** When the holder began to spend it, by the database's clock. */
  readonly spendingSinceMs: number | null;
}

export interface Change {
  readonly content: string | null;
  readonly previous: string | null;
  readonly previousVersion: number | null;
  readonly writeId: string;
  /** The version that must still be stored. */
  readonly from: number;
  /** The new version. Default: the next one. */
  readonly to?: number;
  /** The fencing token of the lease. The change is refused if a newer lease was granted. */
  readonly fence?: number | undefined;
  /** The version whose refresh token is being spent after this change; `null` if there is none. */
  readonly spendingVersion: number | null;
  /** Removes the recorded outcome, because it belongs to a document that is gone. */
  readonly forgetsOutcome?: boolean;
}

type Result<A> = Effect.Effect<A, StatementFailure>;

/**
 * The statements of one row. Each is one round trip, and is sent again if the connection broke before the response. The
 * second time, `change` returns false (`writeId` shows that the first one was committed), `take` grants the same holder a
 * larger fencing token, and `recordOutcome` increases the number of the outcome again. Nothing else depends on how often
 * a statement ran.
 */
export interface Rows {
  /** Undefined if there is no such row. */
  readonly read: Result<Row | undefined>;
  /** Adds an empty row, unless there is one. */
  readonly insert: Result<void>;
  /** A text that differs after the document, the outcome or the lease has changed. */
  readonly stamp: Result<string>;
  /** False if `from` or `fence` do not allow it. */
  readonly change: (change: Change) => Result<boolean>;
  /** Fails as `change` would if the table cannot be written. */
  readonly touch: Result<void>;
  readonly recordOutcome: (outcome: string, isSpendingOver: boolean, fence: number) => Result<void>;
  /**
   * The fencing token. `undefined` if another holder has the lease, or was spending the refresh token when its lease
   * ended.
   */
  readonly take: (lease: {
    readonly holder: string;
    readonly forMs: number;
    /** The new fencing token is also larger than this number. */
    readonly above: number;
    /** Takes the lease even if the previous holder was spending the refresh token when its lease ended. */
    readonly alsoInterrupted: boolean;
  }) => Result<number | undefined>;
  /** False if the lease was lost. Marks the document's token as being spent if `isSpending`. */
  readonly extend: (lease: {
    readonly holder: string;
    readonly fence: number;
    readonly forMs: number;
    readonly isSpending: boolean;
  }) => Result<boolean>;
  readonly release: (holder: string, fence: number) => Result<void>;
}

export const makeRows = ({ names, run }: Database, signIn: string): Rows => {
  const own = names.document;
  const read: Rows["read"] = run((sql) =>
    Effect.map(
      sql<
        Record<string, unknown>
      >`SELECT *, CASE WHEN holder IS NULL OR lease_until_ms <= ${sql.literal(now(sql))}
        THEN 1 ELSE 0 END AS is_lease_over FROM ${sql(own)} WHERE sign_in = ${signIn}`,
      ([row]) => (row === undefined ? undefined : parseRow(row)),
    ),
  );
  return {
    read,
    insert: run((sql) =>
      Effect.asVoid(
        sql`INSERT INTO ${sql(own)} (sign_in) VALUES (${signIn}) ON CONFLICT (sign_in) DO NOTHING`,
      ),
    ),
    stamp: run((sql) =>
      Effect.map(
        sql<Record<string, unknown>>`SELECT version, outcome_number, fence, holder
          FROM ${sql(own)} WHERE sign_in = ${signIn}`,
        ([row]) => (row === undefined ? "" : Object.values(row).join(" ")),
      ),
    ),
    change: (change) =>
      run((sql) =>
        Effect.map(
          sql`UPDATE ${sql(own)} SET
            version = ${change.to ?? change.from + 1},
            content = ${change.content},
            previous = ${change.previous},
            previous_version = ${change.previousVersion},
            write_id = ${change.writeId},
            written_at_ms = ${sql.literal(now(sql))},
            outcome = ${change.forgetsOutcome === true ? sql.literal("NULL") : sql.literal("outcome")},
            spending_version = ${change.spendingVersion},
            spending_holder = ${change.spendingVersion === null ? null : sql.literal("spending_holder")},
            spending_since_ms = ${change.spendingVersion === null ? null : sql.literal("spending_since_ms")}
          WHERE sign_in = ${signIn} AND version = ${change.from}
            AND fence <= ${change.fence ?? Number.MAX_SAFE_INTEGER}
          RETURNING version`,
          (rows) => rows.length > 0,
        ),
      ),
    touch: run((sql) =>
      Effect.asVoid(sql`UPDATE ${sql(own)} SET version = version WHERE sign_in = ${signIn}`),
    ),
    recordOutcome: (outcome, isSpendingOver, fence) =>
      run((sql) => {
        const keep = (column: string) => sql.literal(isSpendingOver ? "NULL" : column);
        return Effect.asVoid(
          sql`UPDATE ${sql(own)} SET outcome = ${outcome}, outcome_number = outcome_number + 1,
            spending_version = ${keep("spending_version")},
            spending_holder = ${keep("spending_holder")},
            spending_since_ms = ${keep("spending_since_ms")}
          WHERE sign_in = ${signIn} AND fence <= ${fence}`,
        );
      }),
    take: ({ above, alsoInterrupted, forMs, holder }) =>
      run((sql) => {
        const time = sql.literal(now(sql));
        const interrupted = sql.literal(alsoInterrupted ? "OR TRUE" : "");
        return Effect.map(
          sql<{ fence: unknown }>`UPDATE ${sql(own)} SET
            fence = 1 + CASE WHEN fence < ${above} THEN ${above} ELSE fence END,
            holder = ${holder}, lease_until_ms = ${time} + ${forMs}
          WHERE sign_in = ${signIn}
            AND (holder IS NULL OR holder = ${holder} OR lease_until_ms <= ${time})
            AND (spending_version IS NULL OR spending_version <> version
              OR spending_holder = ${holder} ${interrupted})
          RETURNING fence`,
          ([row]) => (row === undefined ? undefined : Number(row.fence)),
        );
      }),
    extend: ({ fence, forMs, holder, isSpending }) =>
      run((sql) => {
        const time = sql.literal(now(sql));
        const spending = isSpending
          ? sql`, spending_version = version, spending_holder = ${holder}, spending_since_ms = ${time}`
          : sql.literal("");
        return Effect.map(
          sql`UPDATE ${sql(own)} SET lease_until_ms = ${time} + ${forMs} ${spending}
          WHERE sign_in = ${signIn} AND fence = ${fence} AND holder = ${holder}
          RETURNING fence`,
          (rows) => rows.length > 0,
        );
      }),
    release: (holder, fence) =>
      run((sql) =>
        Effect.asVoid(
          sql`UPDATE ${sql(own)} SET holder = NULL, lease_until_ms = NULL
          WHERE sign_in = ${signIn} AND fence = ${fence} AND holder = ${holder}`,
        ),
      ),
  };
};

type Sql = Parameters<Parameters<Database["run"]>[0]>[0];

/** The database's clock, in milliseconds since the epoch. */
const now = (sql: Sql): string =>
  sql.onDialectOrElse({
    pg: () => "(extract(epoch from clock_timestamp()) * 1000)::bigint",
    orElse: () => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
  });

const parseRow = (row: Readonly<Record<string, unknown>>): Row => {
  const text = (name: string) => (typeof row[name] === "string" ? row[name] : null);
  const number = (name: string) => (row[name] == null ? null : Number(row[name]));
  return {
    version: number("version") ?? 0,
    content: text("content"),
    writeId: text("write_id"),
    previousVersion: number("previous_version"),
    previous: text("previous"),
    outcome: text("outcome"),
    fence: number("fence") ?? 0,
    holder: text("holder"),
    isLeaseOver: number("is_lease_over") === 1,
    spendingVersion: number("spending_version"),
    spendingHolder: text("spending_holder"),
    spendingSinceMs: number("spending_since_ms"),
  };
};
