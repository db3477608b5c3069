import { randomUUID } from "node:crypto";
import { type StoreError, StoreUnwritable } from "@agent-auth/login/errors";
import { type AuthDocument, parseAuthJson } from "@agent-auth/login/storage/auth-json";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { keyIdOf } from "../encryption/index.ts";
import type { Cells, DocumentsOptions } from "./cells.ts";
import type { Reading } from "./reading.ts";

/** What an administrator does with a stored document: repair, and the rotation of keys. */
export const makeMaintenance = (
  { place: { where }, ring, rows }: DocumentsOptions,
  { decrypt, encrypt, spendingAfter, translate }: Cells,
  { readRow }: Reading,
) => {
  /** The document that the stored one replaced, for repair by hand. */
  const previous: Effect.Effect<Option.Option<AuthDocument>, StoreError> = Effect.gen(function* () {
    const row = yield* readRow("load");
    if (row?.previous == null || row.previousVersion === null) return Option.none();
    const text = yield* decrypt(row.previous, row.previousVersion);
    return Option.some(yield* parseAuthJson(text, where));
  });

  /** Encrypts what is stored with the first key, if it was encrypted with another. True if it was. */
  const reencrypt: Effect.Effect<boolean, StoreError> = Effect.gen(function* () {
    const first = yield* Effect.mapError(
      ring.forEncryption,
      (problem) => new StoreUnwritable({ where, operation: "save", ...problem }),
    );
    const row = yield* readRow("load");
    if (row === undefined || row.content === null) return false;
    const cells = [row.content, row.previous, row.outcome].filter((it) => it !== null);
    const ids = yield* Effect.forEach(cells, keyIdOf);
    if (ids.every((id) => id === first.id)) return false;
    const text = yield* decrypt(row.content, row.version);
    const document = yield* parseAuthJson(text, where);
    const content = yield* encrypt(text, row.version + 1);
    const nothing = { previous: null, previousVersion: null, forgetsOutcome: true };
    const change = { ...nothing, content, writeId: randomUUID(), from: row.version };
    const spendingVersion = yield* spendingAfter(row, document);
    const isWritten = yield* Effect.mapError(
      rows.change({ ...change, spendingVersion }),
      translate("save"),
    );
    // Another program has written it meanwhile, with its own first key.
    return isWritten || (yield* reencrypt);
  });

  return { previous, reencrypt };
};
