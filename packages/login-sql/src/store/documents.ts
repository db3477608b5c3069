import { createHash, randomUUID } from "node:crypto";
import { LeaseLost, StoreConflict, type StoreError } from "@agent-auth/login/errors";
import type { SaveOptions, StoreImplementation, StoreSource } from "@agent-auth/login/storage";
import {
  type AuthDocument,
  encodeAuthJson,
  parseAuthJson,
} from "@agent-auth/login/storage/auth-json";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Random from "effect/Random";
import { type DocumentsOptions, makeCells } from "./cells.ts";
import { makeMaintenance } from "./maintenance.ts";
import { makeReading } from "./reading.ts";
import type { Row } from "./rows.ts";

/** How often a change without a condition is tried against other writers, and the longest pause between two attempts. */
const MAX_ATTEMPTS = 50;
const MAX_PAUSE_MS = 100;
const pause = Effect.flatMap(Random.nextBetween(0, MAX_PAUSE_MS), Effect.sleep);

/** The store of one row: reads and compare-and-set. */
export const makeDocuments = (options: DocumentsOptions) => {
  const { place, rows } = options;
  const { where } = place;
  const source: StoreSource = { _tag: "Store", ...place };
  /** Makes the id of a write that is repeated the same, so that a commit whose answer was lost is recognized. */
  const salt = randomUUID();
  const cells = makeCells(options);
  const { decrypt, encrypt, spendingAfter, translate } = cells;
  const reading = makeReading(options, cells);
  const { readRow, remember, textOf } = reading;

  const load: StoreImplementation["load"] = Effect.gen(function* () {
    const row = yield* readRow("load");
    if (row === undefined) {
      reading.forget();
      return Option.none();
    }
    const text = yield* textOf(row);
    if (text === null) return Option.none();
    const document = yield* parseAuthJson(text, where);
    return Option.some({ document, source, version: String(row.version) });
  }).pipe(Effect.withSpan("SqlStore.load", { attributes: { store: place.name } }));

  const refuse = (
    row: Row | undefined,
    { expected, fencingToken }: SaveOptions,
    operation: "save" | "remove",
  ) => {
    if (row !== undefined && fencingToken !== undefined && row.fence > fencingToken)
      return Effect.fail(new LeaseLost({ where }));
    const stored = row === undefined || row.content === null ? null : String(row.version);
    return expected === undefined || expected === stored
      ? Effect.void
      : Effect.fail(new StoreConflict({ where, operation }));
  };

  const save = Effect.fn("SqlStore.save")(function* (
    document: AuthDocument,
    options: SaveOptions = {},
  ): Effect.fn.Return<StoreSource, StoreError> {
    const text = encodeAuthJson(document, { layout: "compact" });
    const { expected, fencingToken } = options;
    const writeId = createHash("sha256")
      .update(`${salt} ${String(expected)} ${text}`)
      .digest("hex");
    const write = Effect.fnUntraced(function* (
      from: Pick<Row, "content" | "version">,
      spendingVersion: number | null,
    ) {
      const content = yield* encrypt(text, from.version + 1);
      const previous = {
        previous: from.content,
        previousVersion: from.content === null ? null : from.version,
      };
      const change = { ...previous, content, writeId, from: from.version, spendingVersion };
      const isWritten = yield* Effect.mapError(
        rows.change({ ...change, fence: fencingToken }),
        translate("save"),
      );
      if (isWritten) yield* remember(from.version + 1, text);
      return isWritten;
    });
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const row = yield* readRow("save");
      if (row?.writeId === writeId && expected !== undefined)
        return yield* Effect.as(remember(row.version, text), source);
      yield* refuse(row, options, "save");
      if (row === undefined) {
        yield* Effect.mapError(rows.insert, translate("save"));
        continue;
      }
      // A document that cannot be read is not replaced, like a broken file. It can be removed.
      if (expected === undefined && row.content !== null) yield* decrypt(row.content, row.version);
      const spending = fencingToken === undefined ? yield* spendingAfter(row, document) : null;
      if (yield* write(row, spending)) return source;
      yield* pause;
    }
    return yield* new StoreConflict({ where, operation: "save" });
  });

  const remove = Effect.fn("SqlStore.remove")(function* (
    options: { readonly expected?: string } = {},
  ): Effect.fn.Return<boolean, StoreError> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const row = yield* readRow("remove");
      yield* refuse(row, options, "remove");
      if (row === undefined || row.content === null) return false;
      const nothing = {
        content: null,
        previous: null,
        previousVersion: null,
        spendingVersion: null,
      };
      const change = { ...nothing, writeId: randomUUID(), from: row.version, forgetsOutcome: true };
      if (yield* Effect.mapError(rows.change(change), translate("remove"))) {
        yield* remember(row.version + 1, null);
        return true;
      }
      yield* pause;
    }
    return yield* new StoreConflict({ where, operation: "remove" });
  });

  const checkWritable: StoreImplementation["checkWritable"] = Effect.gen(function* () {
    yield* encrypt("", 0);
    yield* Effect.mapError(rows.touch, (failure) =>
      failure.kind === "unavailable" ? translate("check")(failure) : translate("save")(failure),
    );
  });

  const store: Omit<StoreImplementation, "changes"> = {
    load,
    save,
    remove,
    checkWritable,
    describe: { mode: "custom", places: [source], isPersistent: true },
  };
  return { store, ...makeMaintenance(options, cells, reading) };
};
