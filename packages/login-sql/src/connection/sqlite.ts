import { chmodSync, closeSync, openSync } from "node:fs";
import {
  makeSqliteClient as makeClient,
  openWithWriteAheadLog,
} from "@agent-auth/agent-identity/sqlite";

/** How long a statement waits while another connection writes. */
const BUSY_MS = 2_000;

/** The client of one SQLite file: created 0600, and each commit is durable before the next request of a refresh. */
export const makeSqliteClient = (path: string) =>
  makeClient({ open: () => openPrivate(path), busyMs: BUSY_MS });

const openPrivate = (path: string) => {
  if (path !== ":memory:") closeSync(openSync(path, "a", 0o600));
  const database = openWithWriteAheadLog(path, "full");
  for (const suffix of ["-wal", "-shm"])
    try {
      chmodSync(`${path}${suffix}`, 0o600);
    } catch {
      // Not there, or another user's.
    }
  return database;
};
