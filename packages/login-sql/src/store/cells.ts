import {
  type StoreError,
  StoreUnavailable,
  StoreUnreadable,
  StoreUnwritable,
} from "@agent-auth/login/errors";
import { type AuthDocument, parseAuthJson } from "@agent-auth/login/storage/auth-json";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { StatementFailure } from "../connection/index.ts";
import type { StorePlace } from "../connection/target.ts";
import { type KeyRing, seal, unseal } from "../encryption/index.ts";
import type { Row, Rows } from "./rows.ts";

export interface DocumentsOptions {
  readonly rows: Rows;
  readonly ring: KeyRing;
  readonly signIn: string;
  readonly place: StorePlace;
}

export type Operation = "load" | "save" | "remove" | "check";

/** Encrypts and decrypts the documents of a row. What fails becomes the error of the operation that needed it. */
export const makeCells = ({ place: { where }, ring, signIn }: DocumentsOptions) => {
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

  /** A change that leaves the refresh token as it is leaves open whether that token was spent. */
  const spendingAfter = Effect.fnUntraced(function* (row: Row, document: AuthDocument) {
    if (row.spendingVersion !== row.version || row.content === null) return null;
    const before = yield* Effect.flatMap(decrypt(row.content, row.version), (text) =>
      parseAuthJson(text, where),
    );
    return refreshTokenOf(before) === refreshTokenOf(document) ? row.version + 1 : null;
  });

  return { translate, encrypt, decrypt, spendingAfter };
};

export type Cells = ReturnType<typeof makeCells>;

const refreshTokenOf = ({ tokens }: AuthDocument) =>
  tokens === undefined ? undefined : Redacted.value(tokens.refreshToken);

const adviceToMigrate = "Run migrateSqlStore once as a role that may create tables.";
