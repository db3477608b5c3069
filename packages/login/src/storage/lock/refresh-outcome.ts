import { statSync } from "node:fs";
import * as z from "zod/mini";
import type { RefreshFailed, RefreshRejected } from "../../errors/refresh.ts";
import { compact } from "../../internal/compact.ts";
import { readStateFile, stateFilePath, writeStateFile } from "../fs/state-file.ts";

/** What came of an attempt series at refreshing a sign-in. Holds no secret: tokens are SHA-256 fingerprints. */
export interface RefreshOutcome {
  /** Unique for each series, so that a new outcome is recognized without comparing clocks. */
  readonly id: string;
  /** Fingerprint of the refresh token that was sent. */
  readonly refreshToken: string;
  /** When the series ended, in milliseconds since the epoch. */
  readonly endedAtMs: number;
  readonly result:
    | {
        readonly _tag: "Refreshed";
        /** Fingerprint of the new access token. */
        readonly accessToken: string;
        /** How many access tokens in a row servers had rejected soon after their refresh. */
        readonly rejections: number;
      }
    | ({
        readonly _tag: "Failed";
        /** How many attempt series with this token have failed in a row. */
        readonly failures: number;
        /** Milliseconds since the epoch before which no program starts the next series. */
        readonly retryAtMs: number;
      } & Pick<
        RefreshFailed,
        "advice" | "attempts" | "isSpent" | "reason" | "retryAfterMs" | "status"
      >)
    | ({ readonly _tag: "Rejected" } & Pick<RefreshRejected, "reason">);
}

const FILE = "refresh.json";
const MAX_BYTES = 16_384;

/** What the error of a request may advise. */
const remedies = ["retry", "fixInput", "fixEnvironment", "fixConfig", "fixNetwork"] as const;
const optionalNumber = z.optional(z.number());
const Outcome = z.object({
  id: z.string(),
  refreshToken: z.string(),
  endedAtMs: z.number(),
  result: z.discriminatedUnion("_tag", [
    z.object({
      _tag: z.literal("Refreshed"),
      accessToken: z.string(),
      rejections: z.number(),
    }),
    z.object({
      _tag: z.literal("Failed"),
      reason: z.string(),
      advice: z.optional(z.object({ hint: z.string(), remedy: z.enum(remedies) })),
      attempts: z.number(),
      failures: z.number(),
      retryAtMs: z.number(),
      status: optionalNumber,
      retryAfterMs: optionalNumber,
      isSpent: z.optional(z.literal(true)),
    }),
    z.object({
      _tag: z.literal("Rejected"),
      reason: z.enum(["expired", "reused", "revoked", "other"]),
    }),
  ]),
});

/** The outcome in a folder's state file. It is read again only when the file has changed. */
export const makeOutcomeReader = () => {
  let seen: { readonly stamp: string; readonly outcome: RefreshOutcome | undefined } | undefined;
  return (folder: string): RefreshOutcome | undefined => {
    const path = stateFilePath(folder, FILE);
    const stamp = stampOf(path);
    if (stamp === undefined) return undefined;
    if (seen?.stamp !== stamp) seen = { stamp, outcome: parse(readStateFile(path, MAX_BYTES)) };
    return seen.outcome;
  };
};

export const writeOutcome = (folder: string, outcome: RefreshOutcome): Promise<boolean> =>
  writeStateFile(folder, FILE, JSON.stringify(outcome));

/** Returns the outcome in a text that is the JSON of one; `undefined` for any other text. */
export const parseRefreshOutcome = (text: string): RefreshOutcome | undefined => parse(text);

const stampOf = (path: string): string | undefined => {
  try {
    const { ino, mtimeNs } = statSync(path, { bigint: true });
    return `${path} ${ino} ${mtimeNs}`;
  } catch {
    return undefined;
  }
};

const parse = (text: string | undefined): RefreshOutcome | undefined => {
  if (text === undefined) return undefined;
  try {
    const read = Outcome.safeParse(JSON.parse(text));
    if (!read.success) return undefined;
    const { result, ...rest } = read.data;
    return { ...rest, result: result._tag === "Failed" ? compact(result) : result };
  } catch {
    return undefined;
  }
};
