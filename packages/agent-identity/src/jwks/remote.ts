import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import {
  HttpInsecureUrl,
  HttpRequestInvalid,
  type JwksError,
  JwksRequestFailed,
  type JwksKeyNotFound,
} from "../errors/index.ts";
import type { HttpTransport } from "../http/index.ts";
import type { HeldJwks } from "./fetch.ts";
import { isWithin, makeJwksKeeper } from "./keeper.ts";
import { checkTimeOption, maxTimerMs } from "../options/numbers.ts";
import { isHttpsOrLoopback, redactUrl } from "../urls/index.ts";
import { JwksSource, type TrustedKey } from "./index.ts";

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

/** Why the URL is never asked, nor a set believed that a cache has for it; undefined where all is well. */
const refusalOf = (url: URL | null, isHttpAllowed: boolean): JwksRequestFailed | undefined => {
  if (url !== null && (isHttpAllowed || isHttpsOrLoopback(url))) return undefined;
  const where = { method: "GET", url: url === null ? "" : redactUrl(url) };
  const failure =
    url === null
      ? new HttpRequestInvalid({ method: "GET", part: "url" })
      : new HttpInsecureUrl(where);
  return new JwksRequestFailed({ url: where.url, failure });
};

const make = Effect.fnUntraced(function* (options: CheckedOptions) {
  const { url, allowInsecureHttp = false, cooldownMs } = options;
  const parsed = URL.parse(url);
  const refusal = refusalOf(parsed, allowInsecureHttp);
  const shownUrl = parsed === null ? "" : redactUrl(parsed);
  const keeper = yield* makeJwksKeeper({ ...options, shownUrl });
  let lastMissMs = Number.NEGATIVE_INFINITY;

  /** A set that lacks a key may be older than the key: a rotation is followed at once, an attacker's ids are not. */
  const newerThan = Effect.fnUntraced(function* (lacking: HeldJwks, answersBefore: number) {
    if (keeper.answers() > answersBefore) return lacking; // it came with this very call
    if (keeper.isAsking()) return yield* keeper.anew;
    const nowMs = yield* Clock.currentTimeMillis;
    const failure = keeper.failureSince(nowMs);
    if (failure !== undefined) return yield* failure;
    if (isWithin(lastMissMs, nowMs, cooldownMs)) return lacking;
    lastMissMs = nowMs;
    return yield* keeper.anew;
  });

  const key = Effect.fnUntraced(function* (
    kid: string,
  ): Effect.fn.Return<TrustedKey, JwksKeyNotFound | JwksError> {
    if (refusal !== undefined) return yield* refusal;
    const answersBefore = keeper.answers();
    const known = yield* keeper.current;
    if (known.set.has(kid)) return yield* known.set.key(kid);
    const { set } = yield* newerThan(known, answersBefore);
    return yield* set.key(kid);
  });

  return JwksSource.of({ key });
});

/**
 * Keys from a JWKS endpoint (docs/protocol.md §6), through `HttpTransport`, and kept in `JwksCache` where one is
 * given. One request is in flight however many callers wait; a set is kept for as long as its `Cache-Control` says,
 * revalidated by ETag, and asked for again at once, then at most every `cooldownMs`, when a `kid` is unknown. While
 * the endpoint cannot be asked, a set that was good before serves on for at most `maxStaleMs`, unless its answer said
 * `must-revalidate`. Without any set, nothing is verified: `key` fails with `JwksError`.
 *
 * All of this is counted by layer, not by URL: two layers may reach one URL through different proxies and roots, and must
 * not believe each other's answers. Build one for each URL, and share it.
 *
 * A time that is no number, negative or without end throws `TypeError` or `RangeError` here.
 */
export const layer = (options: RemoteJwksOptions): Layer.Layer<JwksSource, never, HttpTransport> =>
  Layer.effect(JwksSource, make(checkOptions(options)));
