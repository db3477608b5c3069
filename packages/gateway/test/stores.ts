import { randomUUID } from "node:crypto";
import { AgentRegistry, makeMemoryRegistry } from "@agent-auth/gateway/registry";
import { layerRegistrySql } from "@agent-auth/gateway/registry/sql";
import { AssertionUses, type ReplayLimits } from "@agent-auth/gateway/replay";
import { layerRedisClient, layerReplayRedis } from "@agent-auth/gateway/replay/redis";
import { layerReplaySql } from "@agent-auth/gateway/replay/sql";
import { layerMigrations } from "@agent-auth/gateway/sql";
import { layerSqlite } from "@agent-auth/gateway/sql/sqlite";
import { missingPostgres, type Postgres, startPostgres } from "@agent-auth/tools/postgres";
import { missingRedis, type Redis, startRedis } from "@agent-auth/tools/redis";
import { layer as layerPg } from "@effect/sql-pg/PgClient";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import type { SqlClient } from "effect/sql/SqlClient";
import { createClient, type RedisClientType } from "redis";

for (const reason of [missingPostgres, missingRedis])
  if (reason !== undefined) console.warn(`skipped: ${reason}`);

let server: Promise<Postgres> | undefined;
/** One server for the tests of a file, each with its own database. */
export const postgresUrl = async (): Promise<string> =>
  (await (server ??= startPostgres())).createDatabase();

let redis: Promise<{ readonly server: Redis; readonly client: RedisClientType }> | undefined;
const startClient = async () => {
  const server = await startRedis();
  const client: RedisClientType = createClient({ url: server.url });
  client.on("error", () => undefined);
  return { server, client: await client.connect() };
};
/** One server and client for the tests of a file. */
export const sharedRedis = () => (redis ??= startClient());

/** Test files share their modules, so the next file starts its own servers. */
export const stopServers = async (): Promise<void> => {
  const [postgres, started] = [await server, await redis];
  server = undefined;
  redis = undefined;
  await postgres?.[Symbol.asyncDispose]();
  started?.client.destroy();
  await started?.server[Symbol.asyncDispose]();
};

/** A database of SQL stores. */
export const sqliteInMemory = () => layerSqlite({ path: ":memory:" });
export const postgres = async () =>
  layerPg({ url: Redacted.make(await postgresUrl()), maxConnections: 4 });

type Sql = Layer.Layer<SqlClient, unknown>;
const migrated = (sql: Sql) => Layer.provideMerge(layerMigrations, sql);

/** A registry for the contract suite; each is empty. */
export const registries = [
  {
    name: "memory",
    isMissing: false,
    make: async (maxTasksPerAgent: number): Promise<Layer.Layer<AgentRegistry, unknown>> =>
      Layer.sync(AgentRegistry, () => makeMemoryRegistry({ maxTasksPerAgent }).service),
  },
  {
    name: "SQLite",
    isMissing: false,
    make: async (maxTasksPerAgent: number): Promise<Layer.Layer<AgentRegistry, unknown>> =>
      Layer.provide(layerRegistrySql({ maxTasksPerAgent }), migrated(sqliteInMemory())),
  },
  {
    name: "PostgreSQL",
    isMissing: missingPostgres !== undefined,
    make: async (maxTasksPerAgent: number): Promise<Layer.Layer<AgentRegistry, unknown>> =>
      Layer.provide(layerRegistrySql({ maxTasksPerAgent }), migrated(await postgres())),
  },
];

/** A replay store for the contract suite; each is empty. */
export const replayStores: ReadonlyArray<{
  readonly name: string;
  readonly isMissing: boolean;
  /** Whether keys expire by the clock of a server, not by that of the test. */
  readonly hasOwnClock: boolean;
  readonly makeSql?: () => Promise<Sql>;
  readonly make: (limits: ReplayLimits) => Promise<Layer.Layer<AssertionUses, unknown>>;
}> = [
  {
    name: "memory",
    isMissing: false,
    hasOwnClock: false,
    make: async (limits) => AssertionUses.layerMemory(limits),
  },
  {
    name: "SQLite",
    isMissing: false,
    hasOwnClock: false,
    makeSql: async () => migrated(sqliteInMemory()),
    make: async (limits) => Layer.provide(layerReplaySql(limits), migrated(sqliteInMemory())),
  },
  {
    name: "PostgreSQL",
    isMissing: missingPostgres !== undefined,
    hasOwnClock: false,
    makeSql: async () => migrated(await postgres()),
    make: async (limits) => Layer.provide(layerReplaySql(limits), migrated(await postgres())),
  },
  {
    name: "Redis",
    isMissing: missingRedis !== undefined,
    hasOwnClock: true,
    make: async (limits) => {
      const { client } = await sharedRedis();
      const prefix = `${randomUUID()}:`;
      return Layer.provide(layerReplayRedis({ ...limits, prefix }), layerRedisClient(client));
    },
  },
];
