import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeSqliteClient, openWithWriteAheadLog } from "@agent-auth/agent-identity/sqlite";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import type * as Scope from "effect/Scope";
import * as Stream from "effect/Stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sqlite-client-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = <A, E>(work: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.runPromise(Effect.scoped(work));
const client = (path = ":memory:", busyMs = 2000) =>
  makeSqliteClient({ open: () => openWithWriteAheadLog(path, "normal"), busyMs });

describe("a client of node:sqlite", () => {
  it("stores texts, numbers, booleans, bytes and nothing, and returns rows", async () => {
    const rows = await run(
      Effect.gen(function* () {
        const sql = yield* client();
        yield* sql`CREATE TABLE one (a, b, c, d, e)`;
        yield* sql`INSERT INTO one VALUES (${"x"}, ${2.5}, ${true}, ${Buffer.from("hi")}, ${null})`;
        return yield* sql`SELECT * FROM one`;
      }),
    );
    expect(rows).toEqual([{ a: "x", b: 2.5, c: 1, d: new Uint8Array([104, 105]), e: null }]);
  });

  it("streams rows", async () => {
    const rows = run(
      Effect.gen(function* () {
        const sql = yield* client();
        return yield* Stream.runCollect(sql`SELECT 1 AS a UNION SELECT 2`.stream);
      }),
    );
    expect(await rows).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it("undoes a transaction that fails", async () => {
    const rows = run(
      Effect.gen(function* () {
        const sql = yield* client();
        yield* sql`CREATE TABLE one (a)`;
        const insert = sql`INSERT INTO one VALUES (1)`;
        yield* Effect.flip(sql.withTransaction(Effect.andThen(insert, Effect.fail("no"))));
        return yield* sql`SELECT * FROM one`;
      }),
    );
    expect(await rows).toEqual([]);
  });

  it.each([
    ["a value that SQLite has no type for", (it: string) => it, { a: 1 }, "UnknownError"],
    ["a database that cannot be opened", () => "/nowhere/file.db", 1, "ConnectionError"],
  ])("fails with SqlError for %s", async (_name, pathOf, value, tag) => {
    const error = await run(
      Effect.gen(function* () {
        const sql = yield* client(pathOf(":memory:"));
        return yield* Effect.flip(sql`SELECT ${value} AS a`);
      }),
    );
    expect([error._tag, error.reason._tag]).toEqual(["SqlError", tag]);
  });

  it("waits for another connection that writes, and other work runs meanwhile", async () => {
    const path = join(folder, "busy.db");
    const rows = await run(
      Effect.gen(function* () {
        const [first, second] = [yield* client(path), yield* client(path)];
        yield* first`CREATE TABLE one (a)`;
        yield* first`BEGIN IMMEDIATE`;
        const write = yield* Effect.forkChild(second`INSERT INTO one VALUES (2)`);
        yield* Effect.sleep(30);
        yield* first`INSERT INTO one VALUES (1)`;
        yield* first`COMMIT`;
        yield* Fiber.join(write);
        return yield* first`SELECT a FROM one`;
      }),
    );
    expect(rows).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it("fails with LockTimeoutError if it has waited long enough", async () => {
    const path = join(folder, "locked.db");
    const error = await run(
      Effect.gen(function* () {
        const [first, second] = [yield* client(path), yield* client(path, 20)];
        yield* first`CREATE TABLE one (a)`;
        yield* first`BEGIN IMMEDIATE`;
        const failure = yield* Effect.flip(second`INSERT INTO one VALUES (2)`);
        yield* first`ROLLBACK`;
        return failure;
      }),
    );
    expect(error.reason._tag).toBe("LockTimeoutError");
  });
});
