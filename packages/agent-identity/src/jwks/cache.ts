import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";

/** The usable keys of a fetched JWKS, with what HTTP said about caching it. Plain JSON, and public. */
export interface CachedJwks {
  /** A JWKS document; parsed again when it is loaded. */
  readonly jwks: unknown;
  /** When it was fetched or last revalidated, milliseconds since the epoch. */
  readonly fetchedAtMs: number;
  /** Until when it needs no revalidation, milliseconds since the epoch. */
  readonly freshUntilMs: number;
  /** The response forbade using it past `freshUntilMs` without revalidation. */
  readonly mustRevalidate: boolean;
  readonly etag?: string;
}

/**
 * Caches fetched JWKS beyond the life of a process, so that a new process needs no request. `@agent-auth/login` provides
 * one on disk. Its contents decide which tokens are trusted: only the user may be able to write them.
 *
 * @example
 * ```ts
 * import { JwksCache, makeMemoryJwksCache } from "@agent-auth/agent-identity/jwks/cache";
 * import * as Layer from "effect/Layer";
 *
 * const shared = makeMemoryJwksCache();
 * const layer = Layer.succeed(JwksCache, shared);
 * ```
 */
export class JwksCache extends Context.Service<
  JwksCache,
  {
    /** The JWKS last saved for a URL. Anything unreadable is `None`: a cache never fails a verification. */
    readonly load: (url: string) => Effect.Effect<Option.Option<CachedJwks>>;
    /** Replaces the JWKS of a URL. The implementation ignores failures, and logs them if it can. */
    readonly save: (url: string, entry: CachedJwks) => Effect.Effect<void>;
  }
>()("@agent-auth/agent-identity/jwks/cache") {}

/** How many URLs a cache in memory holds before the longest unused is evicted. */
const maxEntries = 64;

/**
 * Creates a cache in memory. It holds at most 64 sets (of at most 100 keys each) and evicts the longest unused.
 *
 * @example
 * ```ts
 * import { makeMemoryJwksCache } from "@agent-auth/agent-identity/jwks/cache";
 * import * as Effect from "effect/Effect";
 *
 * const cache = makeMemoryJwksCache();
 * await Effect.runPromise(cache.load("https://authority.example/jwks")); // None
 * ```
 */
export const makeMemoryJwksCache = (): JwksCache["Service"] => {
  const entries = new Map<string, CachedJwks>();
  const put = (url: string, entry: CachedJwks) => {
    entries.delete(url); // to the end of the map: the most recently used
    entries.set(url, entry);
    const [oldest] = entries.keys();
    if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest);
  };
  return JwksCache.of({
    load: (url) =>
      Effect.sync(() => {
        const entry = entries.get(url);
        if (entry !== undefined) put(url, entry);
        return Option.fromUndefinedOr(entry);
      }),
    save: (url, entry) => Effect.sync(() => put(url, entry)),
  });
};

/** A cache in memory for the life of the layer, see `makeMemoryJwksCache`. */
export const layerMemory: Layer.Layer<JwksCache> = Layer.sync(JwksCache, makeMemoryJwksCache);
