import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { SqlStoreConfigInvalid } from "../errors/index.ts";

/** How the connection to a Postgres server is protected; the names and their meaning are libpq's. */
export type SslMode = "disable" | "require" | "verify-ca" | "verify-full";

export interface PostgresTarget {
  readonly _tag: "Postgres";
  /** A host name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: Redacted.Redacted | undefined;
  readonly sslMode: SslMode;
  /** File of the CA certificates, instead of those of the system. */
  readonly sslRootCert: string | undefined;
  /** Files of the client's certificate and key. */
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
  /** Absent: the first schema of the role's `search_path`. */
  readonly schema: string | undefined;
  readonly connectTimeoutMs: number;
  /** `poll`: no LISTEN, because a pooler such as pgbouncer is in between. */
  readonly notify: "listen" | "poll";
}

export interface SqliteTarget {
  readonly _tag: "Sqlite";
  readonly path: string;
}

/** What the URL of a store says. */
export type StoreTarget = (PostgresTarget | SqliteTarget) & {
  /** Before the name of each table. Default `agent_auth_`. */
  readonly tablePrefix: string;
  /** Which row holds the sign-in; undefined if the URL does not say. */
  readonly signIn: string | undefined;
};

const invalid = (reason: string) =>
  Result.fail(new SqlStoreConfigInvalid({ setting: "url", reason }));

/** A password with such a character ends in the middle: the rest of it would be taken for a host, database or parameter, and shown. */
const unencoded = "it has an @ or # that is not percent-encoded, such as in its password";

const sslModes: ReadonlyArray<string> = ["disable", "require", "verify-ca", "verify-full"];
const identifier = /^[a-z_][a-z0-9_]{0,39}$/;
const postgresParameters = [
  "connect_timeout",
  "host",
  "notify",
  "schema",
  "sslcert",
  "sslkey",
  "sslmode",
  "sslrootcert",
];
const parameters = ["sign_in", "table_prefix"];

/**
 * Parses the URL of a store: `postgres://user:password@host:port/database?sslmode=verify-full`, or `sqlite:/path`. Unknown
 * parameters are refused, so that a misspelt `sslmode` is noticed.
 */
export const parseStoreUrl = (
  text: string | Redacted.Redacted,
): Result.Result<StoreTarget, SqlStoreConfigInvalid> => {
  const url = URL.parse(typeof text === "string" ? text : Redacted.value(text));
  if (url === null) return invalid("it is not a URL");
  const isPostgres = url.protocol === "postgres:" || url.protocol === "postgresql:";
  if (!isPostgres && url.protocol !== "sqlite:")
    return invalid(`its scheme is ${url.protocol} instead of postgres: or sqlite:`);
  if (isPostgres && /[@#]/.test(`${url.pathname}${url.search}${url.hash}`))
    return invalid(unencoded);
  const known = isPostgres ? [...parameters, ...postgresParameters] : parameters;
  const unknown = [...url.searchParams.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) return invalid(`the parameter ${unknown} is not known`);
  const value = (name: string): string | undefined => url.searchParams.get(name) ?? undefined;
  const tablePrefix = value("table_prefix") ?? "agent_auth_";
  if (!identifier.test(tablePrefix))
    return invalid("table_prefix is not lower-case letters, digits and underscores");
  const common = { tablePrefix, signIn: value("sign_in") };
  try {
    return isPostgres ? postgres(url, value, common) : sqlite(url, common);
  } catch {
    return invalid("its percent-encoding is invalid");
  }
};

type Common = Pick<StoreTarget, "tablePrefix" | "signIn">;

const sqlite = (url: URL, common: Common): Result.Result<StoreTarget, SqlStoreConfigInvalid> => {
  const path = decodeURIComponent(url.pathname);
  if (path === "" || url.host !== "")
    return invalid("the path of the file is missing: write sqlite:/path/to/file");
  return Result.succeed({ ...common, _tag: "Sqlite", path });
};

const postgres = (
  url: URL,
  value: (name: string) => string | undefined,
  common: Common,
): Result.Result<StoreTarget, SqlStoreConfigInvalid> => {
  const host = value("host") ?? decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, "$1");
  if (host === "") return invalid("the host is missing");
  const username = decodeURIComponent(url.username);
  if (username === "") return invalid("the user is missing");
  const sslMode = value("sslmode") ?? (isLocal(host) ? "disable" : "verify-full");
  if (!isSslMode(sslMode))
    return invalid(`sslmode must be ${sslModes.join(", ")}; others protect nothing`);
  const schema = value("schema");
  if (schema !== undefined && !identifier.test(schema))
    return invalid("schema is not lower-case letters, digits and underscores");
  const notify = value("notify") ?? "listen";
  if (notify !== "listen" && notify !== "poll") return invalid("notify must be listen or poll");
  const seconds = Number(value("connect_timeout") ?? 5);
  if (!(seconds >= 1 && seconds <= 60)) return invalid("connect_timeout must be 1 to 60 seconds");
  const [sslCert, sslKey] = [value("sslcert"), value("sslkey")];
  if ((sslCert === undefined) !== (sslKey === undefined))
    return invalid("sslcert and sslkey belong together");
  return Result.succeed({
    ...common,
    _tag: "Postgres",
    host,
    port: url.port === "" ? 5432 : Number(url.port),
    database: decodeURIComponent(url.pathname.slice(1)) || username,
    username,
    password: url.password === "" ? undefined : Redacted.make(decodeURIComponent(url.password)),
    sslMode,
    sslRootCert: value("sslrootcert"),
    sslCert,
    sslKey,
    schema,
    connectTimeoutMs: seconds * 1000,
    notify,
  });
};

const isSslMode = (text: string): text is SslMode => sslModes.includes(text);

/** Whether what is sent to a host stays on this machine. */
const isLocal = (host: string): boolean =>
  host.startsWith("/") ||
  host === "localhost" ||
  host === "::1" ||
  /^127\.\d+\.\d+\.\d+$/.test(host);

/** Where a store is, for people: neither user, password nor parameters. */
export interface StorePlace {
  readonly name: "postgres" | "sqlite";
  /** `host:port/database` or a path. */
  readonly where: string;
}

export const placeOf = (target: StoreTarget, signIn: string): StorePlace => {
  const row = signIn === defaultSignIn ? "" : ` (${signIn})`;
  if (target._tag === "Sqlite") return { name: "sqlite", where: `${target.path}${row}` };
  const host = target.host.includes(":") ? `[${target.host}]` : target.host;
  return { name: "postgres", where: `${host}:${target.port}/${target.database}${row}` };
};

export const defaultSignIn = "default";

/**
 * Returns where a store is, for status and errors: without user, password and parameters. A URL that cannot be parsed is
 * shown as `an unusable URL`.
 *
 * @example
 * ```ts
 * import { describeStoreUrl } from "@agent-auth/login-sql";
 *
 * const { where } = describeStoreUrl("postgres://app:secret@db.example/agents");
 * console.log(where); // db.example:5432/agents
 * ```
 */
export const describeStoreUrl = (url: string | Redacted.Redacted): StorePlace =>
  Result.match(parseStoreUrl(url), {
    onFailure: () => ({ name: "postgres", where: "an unusable URL" }),
    onSuccess: (target) => placeOf(target, target.signIn ?? defaultSignIn),
  });
