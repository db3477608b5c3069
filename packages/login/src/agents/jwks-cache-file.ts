import { createHash } from "node:crypto";
import { type CachedJwks, JwksCache } from "@agent-auth/agent-identity/jwks/cache";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as z from "zod/mini";
import { parseJson } from "@agent-auth/agent-identity/encoding";
import { readStateFile, stateFilePath, writeStateFile } from "../storage/fs/state-file.ts";

/** Larger than any key set that the network layer accepts. */
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
   * Identifies the trusted roots and the proxies of this process: `networkSettingsKey`. A set that was fetched with
   * other settings is not used: with other trusted roots, it may have come from another server. Default: none.
   */
  readonly network?: string;
}

/**
 * Caches the verification keys of agent identities in `$CODEX_HOME/agent-auth`, so that a new process sends no request
 * while the set is fresh. The set decides which identities are accepted, so a file that another user owns or can write
 * to is not read. Never fails: an unusable file means that the keys are fetched.
 *
 * @example
 * ```ts
 * import { JwksCache } from "@agent-auth/agent-identity/jwks/cache";
 * import { layer } from "@agent-auth/login/agents/jwks-cache-file";
 * import * as Effect from "effect/Effect";
 *
 * const url = "https://chatgpt.com/backend-api/wham/agent-identities/jwks";
 * const cached = JwksCache.use((cache) => cache.load(url));
 * await Effect.runPromise(Effect.provide(cached, layer({ codexHome: "/home/ada/.codex" })));
 * ```
 */
export const layer = (options: JwksCacheFileOptions): Layer.Layer<JwksCache> =>
  Layer.succeed(
    JwksCache,
    JwksCache.of({
      load: (url) => Effect.sync(() => Option.fromUndefinedOr(readEntry(options, url))),
      save: (url, entry) => Effect.promise(() => writeEntry(options, url, entry)),
    }),
  );

const fileName = ({ network }: JwksCacheFileOptions, url: string): string => {
  const name = createHash("sha256")
    .update(JSON.stringify([url, network]))
    .digest("hex");
  return `jwks-${name.slice(0, 16)}.json`;
};

const readEntry = (options: JwksCacheFileOptions, url: string): CachedJwks | undefined => {
  const text = readStateFile(stateFilePath(options.codexHome, fileName(options, url)), MAX_BYTES);
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

const writeEntry = async (
  options: JwksCacheFileOptions,
  url: string,
  entry: CachedJwks,
): Promise<void> => {
  const { codexHome, network } = options;
  await writeStateFile(
    codexHome,
    fileName(options, url),
    JSON.stringify({ url, network, ...entry }),
  );
};
