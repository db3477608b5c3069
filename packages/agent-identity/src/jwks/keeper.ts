import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Scope from "effect/Scope";
import type { JwksError } from "../errors/index.ts";
import { HttpTransport } from "../http/index.ts";
import { parseJwks } from "./index.ts";
import { JwksCache } from "./cache.ts";
import { fetchJwks, type FetchOptions, type HeldJwks } from "./fetch.ts";
import { joinOrStart, type Slot } from "./single-flight.ts";

/** How a set is kept. All times in milliseconds. */
export interface KeeperOptions extends FetchOptions {
  /** How long past its lifetime a set may serve while the endpoint cannot be asked. */
  readonly maxStaleMs: number;
  /** For how long a failed request is not repeated where there is another way. */
  readonly cooldownMs: number;
}

/** One URL's set: fetched once for all who wait, kept, revalidated, served stale within bounds. */
export interface JwksKeeper {
  /** The set to use now. Fails where there is none, and none can be had. */
  readonly current: Effect.Effect<HeldJwks, JwksError>;
  /** A set that is asked for now, whole: an ETag that a server forgot to change would hide a new key for ever. */
  readonly anew: Effect.Effect<HeldJwks, JwksError>;
  /** Whether a request is under way that `anew` would join. */
  readonly isAsking: () => boolean;
  /** Sets and confirmations that have come so far. */
  readonly answers: () => number;
  /** Why the last request failed, if that was within `cooldownMs`. */
  readonly failureSince: (nowMs: number) => JwksError | undefined;
}

/** A moment that lies ahead was told by a clock that has been stepped back since: it holds nobody up. */
export const isWithin = (lastMs: number, nowMs: number, spanMs: number): boolean =>
  lastMs <= nowMs && nowMs < lastMs + spanMs;

const isFresh = ({ entry }: HeldJwks, nowMs: number): boolean =>
  entry.fetchedAtMs <= nowMs && nowMs < entry.freshUntilMs;

const mayServeStale = ({ entry }: HeldJwks, nowMs: number, maxStaleMs: number): boolean =>
  !entry.mustRevalidate && entry.fetchedAtMs <= nowMs && nowMs < entry.freshUntilMs + maxStaleMs;

/** The set that an earlier process kept; what is wrong with it is a reason to fetch, not to fail. */
const readCache = Effect.fnUntraced(function* (
  cache: JwksCache["Service"],
  { url, maxLifetimeMs }: FetchOptions,
): Effect.fn.Return<HeldJwks | undefined> {
  const entry = Option.getOrUndefined(yield* cache.load(url));
  if (entry === undefined) return undefined;
  const set = Option.getOrUndefined(yield* Effect.option(parseJwks(entry.jwks)));
  if (set === undefined) return undefined;
  const freshUntilMs = Math.min(entry.freshUntilMs, entry.fetchedAtMs + maxLifetimeMs);
  return { set, entry: { ...entry, freshUntilMs }, noStore: false };
});

/** Builds the keeper of one URL, over `HttpTransport`, and over `JwksCache` where there is one. */
export const makeJwksKeeper = Effect.fnUntraced(function* (
  options: KeeperOptions,
): Effect.fn.Return<JwksKeeper, never, HttpTransport | Scope.Scope> {
  const { url, maxStaleMs, cooldownMs } = options;
  const transport = yield* HttpTransport;
  const cache = Option.getOrUndefined(yield* Effect.serviceOption(JwksCache));
  const scope = yield* Scope.Scope;

  const slot: Slot<HeldJwks, JwksError> = { flight: undefined };
  let held: HeldJwks | undefined;
  let isCacheRead = false;
  let answers = 0;
  let lastFailure: { readonly atMs: number; readonly error: JwksError } | undefined;

  const failureSince = (nowMs: number) =>
    lastFailure !== undefined && isWithin(lastFailure.atMs, nowMs, cooldownMs)
      ? lastFailure.error
      : undefined;
  const staleAt = (nowMs: number) =>
    held !== undefined && mayServeStale(held, nowMs, maxStaleMs) ? held : undefined;

  const fetchAndKeep = Effect.fnUntraced(function* (revalidated: HeldJwks | undefined) {
    const atMs = yield* Clock.currentTimeMillis;
    const outcome = yield* Effect.result(fetchJwks(transport, options, revalidated));
    if (outcome._tag === "Failure") {
      lastFailure = { atMs, error: outcome.failure };
      return yield* outcome.failure;
    }
    lastFailure = undefined;
    held = outcome.success;
    answers += 1;
    if (cache !== undefined && !held.noStore) yield* cache.save(url, held.entry);
    return held;
  });

  const load = Effect.gen(function* () {
    if (cache !== undefined && !isCacheRead) {
      isCacheRead = true;
      held = yield* readCache(cache, options);
      const nowMs = yield* Clock.currentTimeMillis;
      if (held !== undefined && isFresh(held, nowMs)) return held;
    }
    return yield* fetchAndKeep(held);
  });

  const current = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis;
    if (held !== undefined && isFresh(held, nowMs)) return held;
    const stale = staleAt(nowMs);
    if (stale !== undefined && failureSince(nowMs) !== undefined) return stale;
    const outcome = yield* Effect.result(joinOrStart(slot, load, scope));
    if (outcome._tag === "Success") return outcome.success;
    return staleAt(yield* Clock.currentTimeMillis) ?? (yield* outcome.failure);
  });

  return {
    current,
    anew: joinOrStart(slot, fetchAndKeep(undefined), scope),
    isAsking: () => slot.flight !== undefined,
    answers: () => answers,
    failureSince,
  };
});
