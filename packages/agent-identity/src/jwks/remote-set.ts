import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as FiberHandle from "effect/FiberHandle";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import { isJsonObject } from "../encoding/json.ts";
import type { JwksError } from "../errors/index.ts";
import { HttpTransport } from "../http/index.ts";
import { type CachedJwks, JwksCache } from "./cache.ts";
import { fetchJwks, type FetchedJwks, type FetchOptions } from "./fetch.ts";
import { parseJwks } from "./index.ts";

/** How a JWKS is fetched and kept. All times in milliseconds. */
export interface RemoteSetOptions extends FetchOptions {
  /** How long past its lifetime a set may be used while the endpoint is unavailable. */
  readonly maxStaleMs: number;
  /** How long after a failed request a stale set is used without another request. */
  readonly cooldownMs: number;
}

/** The JWKS of one URL: fetched once for all callers, kept, revalidated, used stale within bounds. */
export interface RemoteSet {
  /** The set to use now. Fails if there is none and none can be fetched. */
  readonly current: Effect.Effect<FetchedJwks, JwksError>;
  /** Fetches the set without its ETag: a server that forgot to change the ETag would hide a new key. */
  readonly refetch: Effect.Effect<FetchedJwks, JwksError>;
  /** Whether a request is in flight that `refetch` would join. */
  readonly isFetching: () => boolean;
  /** How many responses confirmed or replaced the set so far. */
  readonly fetchCount: () => number;
  /** Why the last request failed, if that was less than `cooldownMs` ago. */
  readonly recentFailure: (nowMs: number) => JwksError | undefined;
}

/**
 * Whether `nowMs` is less than `spanMs` after `thenMs`. False if `thenMs` is in the future, as after a clock change.
 */
export const isWithin = (thenMs: number, nowMs: number, spanMs: number): boolean =>
  thenMs <= nowMs && nowMs < thenMs + spanMs;

const isFresh = ({ entry }: FetchedJwks, nowMs: number): boolean =>
  entry.fetchedAtMs <= nowMs && nowMs < entry.freshUntilMs;

const isUsableStale = ({ entry }: FetchedJwks, nowMs: number, maxStaleMs: number): boolean =>
  !entry.mustRevalidate && entry.fetchedAtMs <= nowMs && nowMs < entry.freshUntilMs + maxStaleMs;

/** What a `JwksCache` returned, if it has the shape of an entry; a custom cache may return anything. */
const parseEntry = (loaded: unknown): CachedJwks | undefined => {
  const entry: unknown = Option.isOption(loaded) ? Option.getOrUndefined(loaded) : undefined;
  if (!isJsonObject(entry)) return undefined;
  const { jwks, fetchedAtMs, freshUntilMs, mustRevalidate, etag } = entry;
  if (!Number.isFinite(fetchedAtMs) || !Number.isFinite(freshUntilMs)) return undefined;
  if (typeof mustRevalidate !== "boolean") return undefined;
  const dates = { fetchedAtMs: Number(fetchedAtMs), freshUntilMs: Number(freshUntilMs) };
  return { jwks, ...dates, mustRevalidate, ...(typeof etag === "string" ? { etag } : {}) };
};

/** A cache must not fail or delay a verification: a defect, or a call that takes too long, counts as a miss. */
const useCache = <A>(call: () => Effect.Effect<A>, timeoutMs: number): Effect.Effect<unknown> =>
  Effect.suspend(call).pipe(
    Effect.timeoutOption(timeoutMs),
    Effect.map(Option.getOrUndefined),
    Effect.catchDefect(() => Effect.void),
  );

/** The set that an earlier process cached; anything wrong with it is a reason to fetch, not to fail. */
const loadCached = Effect.fnUntraced(function* (
  cache: JwksCache["Service"],
  { url, maxLifetimeMs, timeoutMs }: FetchOptions,
): Effect.fn.Return<FetchedJwks | undefined> {
  const entry = parseEntry(yield* useCache(() => cache.load(url), timeoutMs));
  if (entry === undefined) return undefined;
  const set = Option.getOrUndefined(yield* Effect.option(parseJwks(entry.jwks)));
  if (set === undefined) return undefined;
  const freshUntilMs = Math.min(entry.freshUntilMs, entry.fetchedAtMs + maxLifetimeMs);
  return { set, entry: { ...entry, jwks: set.document, freshUntilMs }, noStore: false };
});

/** Creates the set of one URL over `HttpTransport`, and over `JwksCache` if one is provided. */
export const makeRemoteSet = Effect.fnUntraced(function* (
  options: RemoteSetOptions,
): Effect.fn.Return<RemoteSet, never, HttpTransport | Scope.Scope> {
  const { url, maxStaleMs, cooldownMs, timeoutMs } = options;
  const transport = yield* HttpTransport;
  const cache = Option.getOrUndefined(yield* Effect.serviceOption(JwksCache));
  const inFlight = yield* FiberHandle.make<FetchedJwks, JwksError>();

  let held: FetchedJwks | undefined;
  let isCacheRead = false;
  let fetchCount = 0;
  let lastFailure: { readonly atMs: number; readonly error: JwksError } | undefined;

  const recentFailure = (nowMs: number) =>
    lastFailure !== undefined && isWithin(lastFailure.atMs, nowMs, cooldownMs)
      ? lastFailure.error
      : undefined;
  const staleAt = (nowMs: number) =>
    held !== undefined && isUsableStale(held, nowMs, maxStaleMs) ? held : undefined;

  /** Joins the request in flight, or starts one in the layer's scope: it outlives a caller that is interrupted. */
  const joinOrStart = (work: Effect.Effect<FetchedJwks, JwksError>) =>
    Effect.suspend(() =>
      Option.match(FiberHandle.getUnsafe(inFlight), {
        onSome: Fiber.join,
        onNone: () => Effect.flatMap(FiberHandle.run(inFlight, work), Fiber.join),
      }),
    );

  const fetchAndKeep = Effect.fnUntraced(function* (stored: FetchedJwks | undefined) {
    const atMs = yield* Clock.currentTimeMillis;
    const outcome = yield* Effect.result(fetchJwks(transport, options, stored));
    if (outcome._tag === "Failure") {
      lastFailure = { atMs, error: outcome.failure };
      return yield* outcome.failure;
    }
    lastFailure = undefined;
    const { success: fetched } = outcome;
    held = fetched;
    fetchCount += 1;
    if (cache !== undefined && !fetched.noStore) {
      yield* useCache(() => cache.save(url, fetched.entry), timeoutMs);
    }
    return fetched;
  });

  const load = Effect.gen(function* () {
    if (cache !== undefined && !isCacheRead) {
      isCacheRead = true;
      held = yield* loadCached(cache, options);
      const nowMs = yield* Clock.currentTimeMillis;
      if (held !== undefined && isFresh(held, nowMs)) return held;
    }
    return yield* fetchAndKeep(held);
  });

  const current = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis;
    if (held !== undefined && isFresh(held, nowMs)) return held;
    const stale = staleAt(nowMs);
    if (stale !== undefined && recentFailure(nowMs) !== undefined) return stale;
    const outcome = yield* Effect.result(joinOrStart(load));
    if (outcome._tag === "Success") return outcome.success;
    return staleAt(yield* Clock.currentTimeMillis) ?? (yield* outcome.failure);
  });

  return {
    current,
    refetch: joinOrStart(fetchAndKeep(undefined)),
    isFetching: () => Option.isSome(FiberHandle.getUnsafe(inFlight)),
    fetchCount: () => fetchCount,
    recentFailure,
  };
});
