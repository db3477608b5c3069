import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from "node:fs";
import { lstat, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type CachedJwks, JwksCache } from "@agent-auth/agent-identity/jwks/cache";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as z from "zod/mini";
import { parseJson } from "../internal/json.ts";
import { replaceFile, sweepTemporaries } from "../storage/fs/replace.ts";

/** Folder below CODEX_HOME. Codex does not know it; deleting it costs one request. */
const FOLDER = "agent-auth";

/** More than any set that would have been accepted from the network. */
const MAX_BYTES = 2 * 1024 * 1024;

const Entry = z.object({
  url: z.string(),
  network: z.optional(z.string()),
  jwks: z.unknown(),
  fetchedAtMs: z.number(),
  freshUntilMs: z.number(),
  mustRevalidate: z.boolean(),
  etag: z.optional(z.string()),
});

export interface JwksCacheFileOptions {
  readonly codexHome: string;
  /**
   * Names whom this process trusts and which way its requests go, without secrets. A set that was fetched under another
   * name is not seen: who accepts an authority of his own must not decide for those who do not. Default: no name.
   */
  readonly network?: string;
}

/**
 * Keeps the verification keys of agent identities under CODEX_HOME, so that a fresh process needs no round trip while
 * the set is fresh. What is kept decides who is believed: a file that others own or may write is not read. Never
 * fails; whatever is wrong with the file means that the keys are fetched.
 */
export const layer = (options: JwksCacheFileOptions): Layer.Layer<JwksCache> =>
  Layer.succeed(
    JwksCache,
    JwksCache.of({
      load: (url) => Effect.sync(() => Option.fromUndefinedOr(readEntry(options, url))),
      save: (url, entry) => Effect.promise(() => writeEntry(options, url, entry)),
    }),
  );

const pathOf = ({ codexHome, network }: JwksCacheFileOptions, url: string): string => {
  const name = createHash("sha256")
    .update(JSON.stringify([url, network]))
    .digest("hex");
  return join(codexHome, FOLDER, `jwks-${name.slice(0, 16)}.json`);
};

const readEntry = (options: JwksCacheFileOptions, url: string): CachedJwks | undefined => {
  const text = readTrusted(pathOf(options, url));
  if (text === undefined) return undefined;
  const read = z.safeParse(Entry, parseJson(text));
  if (!read.success || read.data.url !== url || read.data.network !== options.network) {
    return undefined;
  }
  const { jwks, fetchedAtMs, freshUntilMs, mustRevalidate, etag } = read.data;
  return {
    jwks,
    fetchedAtMs,
    freshUntilMs,
    mustRevalidate,
    ...(etag === undefined ? {} : { etag }),
  };
};

const readTrusted = (path: string): string | undefined => {
  let fd: number;
  try {
    fd = openSync(
      path,
      constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
    );
  } catch {
    return undefined;
  }
  try {
    const stats = fstatSync(fd);
    return isOursAlone(stats) && stats.size <= MAX_BYTES ? readFileSync(fd, "utf8") : undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
};

/** Windows has neither owners nor modes here; there the profile folder's access list guards the file. */
const isOurs = (stats: Stats): boolean =>
  process.getuid === undefined || stats.uid === process.getuid();

const isOursAlone = (stats: Stats): boolean =>
  stats.isFile() && isOurs(stats) && (process.getuid === undefined || (stats.mode & 0o022) === 0);

const writeEntry = async (
  options: JwksCacheFileOptions,
  url: string,
  entry: CachedJwks,
): Promise<void> => {
  const { codexHome, network } = options;
  const path = pathOf(options, url);
  try {
    // Root keeps nothing in another user's home, who could turn its writes elsewhere.
    if (!isOurs(await stat(codexHome))) return;
    const folder = join(codexHome, FOLDER);
    await mkdir(folder, { mode: 0o700 }).catch(ignoreExisting);
    const stats = await lstat(folder);
    if (!stats.isDirectory() || !isOurs(stats)) return;
    await sweepTemporaries(path);
    const content = JSON.stringify({ url, network, ...entry });
    await replaceFile({ path }, content);
  } catch {
    // A full disk or a read-only home costs the next process one request.
  }
};

const ignoreExisting = (error: unknown): void => {
  if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
};
