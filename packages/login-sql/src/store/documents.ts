import { createHash, randomUUID } from "node:crypto";
import {
  LeaseLost,
  StoreConflict,
  type StoreError,
  StoreUnavailable,
  StoreUnreadable,
  StoreUnwritable,
} from "@agent-auth/login/errors";
import type { SaveOptions, StoreImplementation, StoreSource } from "@agent-auth/login/storage";
import {
  type AuthDocument,
  encodeAuthJson,
  parseAuthJson,
} from "@agent-auth/login/storage/auth-json";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Random from "effect/Random";
import * as Redacted from "effect/Redacted";
import type { StatementFailure } from "../connection/index.ts";
import type { StorePlace } from "../connection/target.ts";
import { keyIdOf, type KeyRing, seal, unseal } from "../encryption/index.ts";
import type { Row, Rows } from "./rows.ts";

export interface DocumentsOptions {
  readonly rows: Rows;
  readonly ring: KeyRing;
  readonly signIn: string;
  readonly place: StorePlace;
}

type Operation = "load" | "save" | "remove" | "check";

/** The document that this program has read or written last. */
interface Known {
  readonly version: number;
  readonly text: string | null;
}

/** How often a change without a condition is tried against other writers, and the longest pause between two attempts. */
const MAX_ATTEMPTS = 50;
const MAX_PAUSE_MS = 100;
const pause = Effect.flatMap(Random.nextBetween(0, MAX_PAUSE_MS), Effect.sleep);

const refreshTokenOf = ({ tokens }: AuthDocument) =>
  tokens === undefined ? undefined : Redacted.value(tokens.refreshToken);

/** The store of one row: reads, compare-and-set, and what is done if the database was set back. */
export const makeDocuments = ({ place, ring, rows, signIn }: DocumentsOptions) => {
  const { where } = place;
  const source: StoreSource = { _tag: "Store", ...place };
  /** Makes the id of a write that is repeated the same, so that a commit whose answer was lost is recognized. */
  const salt = randomUUID();
  let known: Known | undefined;

  const translate =
    (operation: Operation) =>
    ({ kind, ...facts }: StatementFailure): StoreError => {
      const described = kind === "schemaMissing" ? { advice: adviceToMigrate, ...facts } : facts;
      if (kind === "unavailable") return new StoreUnavailable({ where, operation, ...facts });
      return operation === "load" || operation === "check"
        ? new StoreUnreadable({ where, ...described })
        : new StoreUnwritable({ where, operation, ...described });
    };

  const cell = (version: number) => ({ kind: "document" as const, signIn, version });
  const encrypt = (text: string, version: number) =>
    Effect.mapError(
      seal(ring, cell(version), text),
      (problem) => new StoreUnwritable({ where, operation: "save", ...problem }),
    );
  const decrypt = (content: string, version: number) =>
    Effect.mapError(
      unseal(ring, cell(version), content),
      (problem) => new StoreUnreadable({ where, ...problem }),
    );

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

  const load: StoreImplementation["load"] = Effect.gen(function* () {
    const row = yield* readRow("load");
    if (row === undefined) {
      known = undefined;
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

  /** A change that leaves the refresh token as it is leaves open whether that token was spent. */
  const spendingAfter = Effect.fnUntraced(function* (row: Row, document: AuthDocument) {
    if (row.spendingVersion !== row.version || row.content === null) return null;
    const before = yield* Effect.flatMap(decrypt(row.content, row.version), (text) =>
      parseAuthJson(text, where),
    );
    return refreshTokenOf(before) === refreshTokenOf(document) ? row.version + 1 : null;
  });

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

  const store: Omit<StoreImplementation, "changes"> = {
    load,
    save,
    remove,
    checkWritable,
    describe: { mode: "custom", places: [source], isPersistent: true },
  };
  return { store, previous, reencrypt };
};

const adviceToMigrate = "Run migrateSqlStore once as a role that may create tables.";
