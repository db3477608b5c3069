import type { SqlError } from "effect/sql/SqlError";

/** What a failed statement means for a store. `reason` is made here: a driver's message may quote its connection. */
export interface StatementFailure {
  readonly kind: "unavailable" | "forbidden" | "schemaMissing";
  readonly reason: string;
  readonly advice?: string;
}

/** Translates the error of a driver by its code. */
export const describeFailure = (error: SqlError): StatementFailure => {
  const code = codeOf(error.reason.cause);
  switch (code) {
    case "42501":
      return {
        kind: "forbidden",
        reason: "the role lacks a privilege",
        advice:
          "Create the tables as their owner (migrateSqlStore), and grant this role SELECT, INSERT and UPDATE. If a policy limits the role to one row, add sign_in to the URL.",
      };
    case "42P01":
    case "42703":
    case "3F000":
      return { kind: "schemaMissing", reason: "its table is missing or older than this program" };
    case "25006":
      return { kind: "unavailable", reason: "the server is a read-only replica" };
    case "53300":
      return {
        kind: "unavailable",
        reason: "the server has no free connection",
        advice: "Raise max_connections, or put a pooler in front and add notify=poll to the URL.",
      };
    case "28P01":
    case "28000":
      return {
        kind: "unavailable",
        reason: "the server refused the role or its password",
        advice: "Check user and password in the URL of the store, and pg_hba.conf.",
      };
    case "3D000":
      return {
        kind: "unavailable",
        reason: "the database does not exist",
        advice: "Create the database, or correct the URL of the store.",
      };
    default:
      return other(error, code);
  }
};

const other = (error: SqlError, code: string | undefined): StatementFailure => {
  const { _tag } = error.reason;
  if (code !== undefined && isCertificateCode(code))
    return {
      kind: "unavailable",
      reason: `the server's certificate is not trusted (${code})`,
      advice: "Add sslrootcert=<file of the CA> to the URL of the store.",
    };
  if (_tag === "AuthenticationError")
    return {
      kind: "unavailable",
      reason: "the server requires a password, or another kind of authentication",
      advice: "Check user and password in the URL of the store.",
    };
  const detail = code ?? _tag;
  if (_tag === "SqlSyntaxError" && error.message.includes("no such table"))
    return { kind: "schemaMissing", reason: "its table is missing" };
  if (isMissingSqliteTable(error.reason.cause))
    return { kind: "schemaMissing", reason: "its table is missing or older than this program" };
  return _tag === "ConnectionError"
    ? { kind: "unavailable", reason: `no connection (${detail})` }
    : { kind: "unavailable", reason: `a statement failed (${detail})` };
};

/** A SQLSTATE, an error code of the system or of TLS, or the name of SQLite's error. */
const codeOf = (cause: unknown): string | undefined => {
  if (typeof cause !== "object" || cause === null) return undefined;
  if ("errcode" in cause && typeof cause.errcode === "number") return `SQLite ${cause.errcode}`;
  if ("code" in cause && typeof cause.code === "string") return cause.code;
  return "cause" in cause ? codeOf(cause.cause) : undefined;
};

const isCertificateCode = (code: string): boolean =>
  /^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY))/.test(code);

const isMissingSqliteTable = (cause: unknown): boolean =>
  cause instanceof Error && /^no such (table|column)/.test(cause.message);
