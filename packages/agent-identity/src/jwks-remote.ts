import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Scope from "effect/Scope";
import { HttpInsecureUrl, type JwksError, JwksRequestFailed, UntrustedKid } from "./errors.ts";
import { HttpTransport } from "./http-transport.ts";
import { fetchJwks, type FetchOptions, type HeldJwks } from "./internal/jwks-fetch.ts";
import { checkTimeOption, maxTimerMs } from "./internal/option-number.ts";
import { joinOrStart, type Slot } from "./internal/single-flight.ts";
import { parseJwks, JwksSource, type TrustedKey } from "./jwks.ts";
import { JwksCache } from "./jwks-cache.ts";
import { isLoopbackUrl } from "./urls.ts";

/** How a set is fetched and kept. All times in milliseconds. */
export interface RemoteJwksOptions {
  /** The set's own URL; `jwksUrl` of `./urls` makes it from a configured base. */
  readonly url: string;
  /** Accepts plain `http` off this machine; the transport must accept it, too. Default false. */
  readonly allowInsecureHttp?: boolean;
  /** For one request, body included. Default 10 s. */
  readonly timeoutMs?: number;
  /** Lifetime of an answer that states none. Default 5 minutes. */
  readonly defaultLifetimeMs?: number;
  /** Longest lifetime believed, so that a withdrawn key dies some day. Default 24 hours. */
  readonly maxLifetimeMs?: number;
  /** How long past its lifetime a set may serve while the endpoint cannot be asked. 0 forbids it. Default one hour. */
  readonly maxStaleMs?: number;
  /** Shortest time between two requests that an unknown `kid`, or a failed revalidation, may cause. Default 30 s. */
  readonly cooldownMs?: number;
}

type CheckedOptions = Required<Omit<RemoteJwksOptions, "allowInsecureHttp">> &
  Pick<RemoteJwksOptions, "allowInsecureHttp">;

/** With NaN, a cool-down never cools down and a set never goes stale: wrong numbers are refused before any is used. */
const checkOptions = (options: RemoteJwksOptions): CheckedOptions => {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const times = {
    defaultLifetimeMs: options.defaultLifetimeMs ?? 300_000,
    maxLifetimeMs: options.maxLifetimeMs ?? 86_400_000,
    maxStaleMs: options.maxStaleMs ?? 3_600_000,
    cooldownMs: options.cooldownMs ?? 30_000,
  };
  checkTimeOption("timeoutMs", timeoutMs, { min: 1, max: maxTimerMs });
  for (const [name, value] of Object.entries(times)) checkTimeOption(name, value, { min: 0 });
  return { ...options, timeoutMs, ...times };
};

const never = Number.NEGATIVE_INFINITY;

const insecure = (url: string) =>
  new JwksRequestFailed({ url, failure: new HttpInsecureUrl({ method: "GET", url }) });

/** A moment that lies ahead was told by a clock that has been stepped back since: it holds nobody up. */
const isWithin = (lastMs: number, nowMs: number, spanMs: number): boolean =>
  lastMs <= nowMs && nowMs < lastMs + spanMs;

const isFresh = ({ entry }: HeldJwks, nowMs: number): boolean =>
  entry.fetchedAtMs <= nowMs && nowMs < entry.freshUntilMs;

const mayServeStale = ({ entry }: HeldJwks, nowMs: number, maxStaleMs: number): boolean =>
  !entry.mustRevalidate && entry.fetchedAtMs <= nowMs && nowMs < entry.freshUntilMs + maxStaleMs;

const make = Effect.fnUntraced(function* (options: CheckedOptions) {
  const { url, maxStaleMs, cooldownMs } = options;
  const fetchOptions: FetchOptions = options;
  const isRefused =
    !url.startsWith("https:") && !isLoopbackUrl(url) && options.allowInsecureHttp !== true;
  const transport = yield* HttpTransport;
  const cache = yield* Effect.serviceOption(JwksCache);
  const scope = yield* Scope.Scope;

  const slot: Slot<HeldJwks, JwksError> = { flight: undefined };
  let held: HeldJwks | undefined;
  let isCacheRead = false;
  let answers = 0;
  let lastMissMs = never;
  let lastFailureMs = never;

  const readCache = Effect.gen(function* () {
    isCacheRead = true;
    if (Option.isNone(cache)) return;
    const entry = yield* cache.value.load(url);
    if (Option.isNone(entry)) return;
    const set = yield* Effect.option(parseJwks(entry.value.jwks, url));
    if (Option.isNone(set)) return;
    const { fetchedAtMs, freshUntilMs } = entry.value;
    const latestMs = fetchedAtMs + fetchOptions.maxLifetimeMs;
    const bounded = { ...entry.value, freshUntilMs: Math.min(freshUntilMs, latestMs) };
    held = { set: set.value, entry: bounded, noStore: false };
  });

  const fetchAndKeep = Effect.gen(function* () {
    const fetched = yield* fetchJwks(transport, fetchOptions, held);
    held = fetched;
    answers += 1;
    if (Option.isSome(cache) && !fetched.noStore) yield* cache.value.save(url, fetched.entry);
    return fetched;
  });

  const fly = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis;
    if (!isCacheRead) {
      yield* readCache;
      if (held !== undefined && isFresh(held, nowMs)) return held;
    }
    return yield* Effect.tapError(fetchAndKeep, () =>
      Effect.sync(() => {
        lastFailureMs = nowMs;
      }),
    );
  });

  const refresh = joinOrStart(slot, fly, scope);

  const current: Effect.Effect<HeldJwks, JwksError> = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis;
    if (held !== undefined && isFresh(held, nowMs)) return held;
    const stale = held !== undefined && mayServeStale(held, nowMs, maxStaleMs) ? held : undefined;
    if (stale !== undefined && isWithin(lastFailureMs, nowMs, cooldownMs)) return stale;
    const outcome = yield* Effect.result(refresh);
    if (outcome._tag === "Success") return outcome.success;
    const kept = held;
    const serves = kept !== undefined && mayServeStale(kept, nowMs, maxStaleMs);
    return serves ? kept : yield* outcome.failure;
  });

  /** The set may be older than the key: a rotation is followed at once, an attacker's ids are not. */
  const refreshForUnknownKid = Effect.fnUntraced(function* (kid: string, answersBefore: number) {
    const nowMs = yield* Clock.currentTimeMillis;
    if (answers > answersBefore) return yield* new UntrustedKid({ kid });
    const coolingDown = [lastMissMs, lastFailureMs].some((lastMs) =>
      isWithin(lastMs, nowMs, cooldownMs),
    );
    if (coolingDown && slot.flight === undefined) return yield* new UntrustedKid({ kid });
    lastMissMs = slot.flight === undefined ? nowMs : lastMissMs;
    return yield* refresh;
  });

  const key = Effect.fnUntraced(function* (
    kid: string,
  ): Effect.fn.Return<TrustedKey, UntrustedKid | JwksError> {
    if (isRefused) return yield* insecure(url);
    const answersBefore = answers;
    const { set } = yield* current;
    if (set.has(kid)) return yield* set.key(kid);
    const renewed = yield* refreshForUnknownKid(kid, answersBefore);
    return yield* renewed.set.key(kid);
  });

  return JwksSource.of({ key });
});

/**
 * Keys from a JWKS endpoint (PROTOCOL §6), through `HttpTransport`, and kept in `JwksCache` where one is given. One
 * request is in flight however many callers wait; a set is kept for as long as its `Cache-Control` says, revalidated by
 * ETag, and asked for again at once, then at most every `cooldownMs`, when a `kid` is unknown. While the endpoint cannot
 * be asked, a set that was good before serves on for at most `maxStaleMs`, unless its answer said `must-revalidate`.
 * Without any set, nothing is verified: `key` fails with `JwksError`. A time that is no number, negative or without end
 * throws `TypeError` or `RangeError` here.
 */
export const layer = (options: RemoteJwksOptions): Layer.Layer<JwksSource, never, HttpTransport> =>
  Layer.effect(JwksSource, make(checkOptions(options)));
