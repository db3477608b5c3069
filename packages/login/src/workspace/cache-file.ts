import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { parseJson } from "@agent-auth/agent-identity/encoding";
import {
  readStateFile,
  removeStateFiles,
  stateFilePath,
  writeStateFile,
} from "../storage/fs/state-file.ts";

/** Identifies the question that an answer of the backend belongs to. An answer is used for that question only. */
export interface AnswerKey {
  readonly kind: "policy" | "routing";
  /** Base URL of the backend's endpoints for accounts. */
  readonly backend: string;
  readonly accountId: string;
  readonly userId?: string;
  /** Identifies the proxy and the trusted roots of the request: with others, another server may have answered. */
  readonly network?: string;
}

/** An answer of the backend about a workspace. `null`: the backend has no such endpoint. */
export interface Answer {
  readonly value: unknown;
  /** Milliseconds since the epoch. */
  readonly askedAtMs: number;
}

const Entry = z.object({
  key: z.object({
    kind: z.string(),
    backend: z.string(),
    accountId: z.string(),
    userId: z.optional(z.string()),
    network: z.optional(z.string()),
  }),
  askedAtMs: z.number(),
  value: z.unknown(),
});

const MAX_BYTES = 2 * 1024 * 1024;

/** Identifies a key in memory and in file names. */
export const answerId = (key: AnswerKey): string =>
  createHash("sha256").update(canonicalKey(key)).digest("hex").slice(0, 16);

const canonical = ({
  accountId,
  backend,
  kind,
  network,
  userId,
}: Record<keyof AnswerKey, string | undefined>): string =>
  JSON.stringify([kind, backend, accountId, userId ?? null, network ?? null]);

const canonicalKey = ({ network, userId, ...key }: AnswerKey): string =>
  canonical({ ...key, network, userId });

const fileName = (key: AnswerKey): string => `workspace-${key.kind}-${answerId(key)}.json`;

/**
 * Returns the stored answer for exactly this account, user, backend and network; `undefined` if there is none. A file that
 * belongs to another user, or that other users can write, is not read.
 */
export const readAnswer = (codexHome: string, key: AnswerKey): Answer | undefined => {
  const text = readStateFile(stateFilePath(codexHome, fileName(key)), MAX_BYTES);
  const read = z.safeParse(Entry, text === undefined ? undefined : parseJson(text));
  if (!read.success) return undefined;
  const { accountId, backend, kind, network, userId } = read.data.key;
  if (canonical({ accountId, backend, kind, network, userId }) !== canonicalKey(key))
    return undefined;
  return { value: read.data.value, askedAtMs: read.data.askedAtMs };
};

/**
 * Stores an answer, 0600, below CODEX_HOME, and removes those that are no longer used. If that is not possible, the
 * next process asks again.
 */
export const writeAnswer = async (
  codexHome: string,
  key: AnswerKey,
  answer: Answer,
  usableMs: number,
): Promise<void> => {
  await writeStateFile(codexHome, fileName(key), JSON.stringify({ key, ...answer }));
  await removeAnswers(codexHome, usableMs);
};

/** Removes the stored answers of all accounts, or those that are older than a number of milliseconds. */
export const removeAnswers = (codexHome: string, olderThanMs = 0): Promise<void> =>
  removeStateFiles(codexHome, /^workspace-(?:policy|routing)-[0-9a-f]{16}\.json$/, olderThanMs);
