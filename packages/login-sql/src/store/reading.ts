import { randomUUID } from "node:crypto";
import * as Effect from "effect/Effect";
import type { Cells, DocumentsOptions, Operation } from "./cells.ts";
import type { Row } from "./rows.ts";

/** The document that this program has read or written last. */
interface Known {
  readonly version: number;
  readonly text: string | null;
}

/** Reads the row, and stores what this program knows if the database was set back. */
export const makeReading = ({ place: { where }, rows }: DocumentsOptions, cells: Cells) => {
  const { decrypt, encrypt, translate } = cells;
  let known: Known | undefined;

  const remember = (version: number, text: string | null) =>
    Effect.sync(() => {
      // Reads end in any order: an older one does not replace a newer one.
      if (known === undefined || version >= known.version) known = { version, text };
    });

  /**
   * After a failover to a replica that lagged, or a restored backup, the row is older than what this program knows. The
   * tokens of the older document are spent, so the newer one is written again.
   */
  const bringForward = Effect.fnUntraced(function* (row: Row, { text, version }: Known) {
    const content = text === null ? null : yield* encrypt(text, version + 1);
    const previous = { previous: null, previousVersion: null, spendingVersion: null };
    const writeId = randomUUID();
    yield* Effect.logWarning(
      `the store ${where} was set back from version ${version} to ${row.version}; the newer document is stored again`,
    );
    return yield* Effect.mapError(
      rows.change({ ...previous, content, writeId, from: row.version, to: version + 1 }),
      translate("save"),
    );
  });

  const readRow = (operation: Operation) =>
    Effect.gen(function* () {
      // What a concurrent save of this program writes while the row is read does not make the row an older one.
      const knownBefore = known;
      const row = yield* Effect.mapError(rows.read, translate(operation));
      if (row === undefined || knownBefore === undefined || row.version >= knownBefore.version)
        return row;
      yield* bringForward(row, knownBefore);
      return yield* Effect.mapError(rows.read, translate(operation));
    });

  const textOf = Effect.fnUntraced(function* ({ content, version }: Row) {
    const text = content === null ? null : yield* decrypt(content, version);
    yield* remember(version, text);
    return text;
  });

  return {
    readRow,
    textOf,
    remember,
    /** The row is gone. */
    forget: () => {
      known = undefined;
    },
  };
};

export type Reading = ReturnType<typeof makeReading>;
