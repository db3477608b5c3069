import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";

/** A set as it was fetched, with what HTTP said about keeping it. Plain JSON, and public. */
export interface CachedJwks {
  /** Parsed JSON of the answer; checked again by whoever loads it. */
  readonly jwks: unknown;
  /** When it was fetched or last revalidated, milliseconds since the epoch. */
  readonly fetchedAtMs: number;
  /** Until when it needs no revalidation, milliseconds since the epoch. */
  readonly freshUntilMs: number;
  /** The answer forbade to use it past `freshUntilMs` without revalidation. */
  readonly mustRevalidate: boolean;
  readonly etag?: string;
}

/**
 * Keeps fetched sets longer than a process lives, so that a fresh one needs no round trip. A higher floor brings one
 * on disk. What it keeps decides who is believed: only the user may be able to write it.
 */
export class JwksCache extends Context.Service<
  JwksCache,
  {
    /** The last set saved for a URL. Anything unreadable is `None`: a cache never fails a verification. */
    readonly load: (url: string) => Effect.Effect<Option.Option<CachedJwks>>;
    /** Replaces the set of a URL. A failure is swallowed by the implementation, and logged where it can. */
    readonly save: (url: string, entry: CachedJwks) => Effect.Effect<void>;
  }
>()("@agent-auth/agent-identity/jwks/cache") {}

/** A cache in memory, for as long as it is held. */
export const makeMemoryJwksCache = (): JwksCache["Service"] => {
  const entries = new Map<string, CachedJwks>();
  return JwksCache.of({
    load: (url) => Effect.sync(() => Option.fromUndefinedOr(entries.get(url))),
    save: (url, entry) => Effect.sync(() => void entries.set(url, entry)),
  });
};

/** Keeps sets for as long as the layer lives. */
export const layerMemory: Layer.Layer<JwksCache> = Layer.sync(JwksCache, makeMemoryJwksCache);
