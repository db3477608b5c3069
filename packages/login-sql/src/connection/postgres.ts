import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { hostname } from "node:os";
import type { ConnectionOptions } from "node:tls";
import { withoutKeepingAlive } from "@agent-auth/login/manager/background";
import * as Effect from "effect/Effect";
import * as Reactivity from "effect/reactivity/Reactivity";
import type * as Scope from "effect/Scope";
import { ConnectionError, SqlError } from "effect/sql/SqlError";
import type { PgClient } from "@effect/sql-pg/PgClient";
import { keepAliveToRelease } from "./release.ts";
import type { PostgresTarget } from "./target.ts";

/** One for statements, one for a statement beside it, one for LISTEN. Idle ones are closed soon. */
const MAX_CONNECTIONS = 3;
const IDLE_MS = 10_000;
/** A connection whose peer is gone is noticed ten seconds after this. */
const KEEP_ALIVE_MS = 5_000;

/** The client of a Postgres database. It connects at the first statement. Fails if a certificate file cannot be read. */
export const makePostgresClient = Effect.fnUntraced(function* (
  target: PostgresTarget,
): Effect.fn.Return<PgClient, SqlError, Scope.Scope> {
  const { make } = yield* Effect.promise(() => import("@effect/sql-pg/PgClient"));
  const ssl = yield* Effect.try({
    try: () => sslOptions(target),
    catch: (cause) => {
      const message = "a certificate file cannot be read";
      return new SqlError({
        reason: new ConnectionError({ cause, message, operation: "connect" }),
      });
    },
  });
  return yield* make({
    host: target.host,
    port: target.port,
    stream: () => openSocket(target),
    database: target.database,
    username: target.username,
    password: target.password,
    ssl,
    connectTimeout: target.connectTimeoutMs,
    applicationName: `agent-auth ${hostname()}`.slice(0, 63),
    // Poolers may run each statement on another connection.
    prepare: false,
    minConnections: 0,
    maxConnections: MAX_CONNECTIONS,
    idleTimeout: IDLE_MS,
  }).pipe(Effect.provide(Reactivity.layer), withoutKeepingAlive, keepAliveToRelease);
});

/** A program that does not close its store still ends: the time-out of a statement keeps it alive, its socket does not. */
const openSocket = ({ host, port }: PostgresTarget): Socket => {
  const address = host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  return connect({ ...address, ...keepAlive, noDelay: true }).unref();
};

/** As in libpq, `require` encrypts without verifying the server, unless a CA file is given. */
const sslOptions = (target: PostgresTarget): false | ConnectionOptions => {
  const { sslCert, sslKey, sslMode, sslRootCert } = target;
  if (sslMode === "disable") return false;
  const isVerified = sslMode !== "require" || sslRootCert !== undefined;
  return {
    minVersion: "TLSv1.2",
    rejectUnauthorized: isVerified,
    ...(sslRootCert !== undefined && { ca: readFileSync(sslRootCert) }),
    ...(sslCert !== undefined && { cert: readFileSync(sslCert) }),
    ...(sslKey !== undefined && { key: readFileSync(sslKey) }),
    ...(sslMode !== "verify-full" && { checkServerIdentity: () => undefined }),
  };
};
