import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missingPostgres, type Postgres, startPostgres } from "@agent-auth/tools/postgres";
import * as Redacted from "effect/Redacted";
import { afterAll, beforeAll } from "vitest";
import type { SqlStoreOptions } from "../../src/index.ts";

if (missingPostgres !== undefined) console.warn(`skipped with Postgres: ${missingPostgres}`);

/** A key file's line with 32 equal bytes. */
export const keyLine = (id: string, byte: number): string =>
  `${id}:${Buffer.alloc(32, byte).toString("base64")}`;

export const textKeys = (...lines: ReadonlyArray<string>) =>
  ({ _tag: "Text", keys: Redacted.make(lines.join("\n")) }) as const;

export const keys = textKeys(keyLine("k1", 1));

/** A Postgres for the tests of a file, started before the first. */
export const useServer = (): { readonly current: Postgres } => {
  let server: Postgres | undefined;
  beforeAll(async () => {
    if (missingPostgres === undefined) server = await startPostgres();
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  return {
    get current() {
      if (server === undefined) throw new Error("no Postgres");
      return server;
    },
  };
};

/** SQLite always, Postgres if it is installed. `newUrl` is that of an empty database, or of separate tables. */
export const useDatabases = () => {
  const server = useServer();
  const folder = mkdtempSync(join(tmpdir(), "login-sql-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let files = 0;
  const sqlite = { name: "SQLite", newUrl: () => `sqlite:${join(folder, `${++files}.db`)}` };
  const postgres = {
    name: "Postgres",
    newUrl: () => `${server.current.url()}?table_prefix=t${++files}_`,
  };
  return missingPostgres === undefined ? [sqlite, postgres] : [sqlite];
};

/** Short times, so that tests that wait for them are quick. */
export const quick: Pick<SqlStoreOptions, "keys" | "leaseMs" | "pollMs"> = {
  keys,
  leaseMs: 400,
  pollMs: 50,
};
