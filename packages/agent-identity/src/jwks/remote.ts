import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import {
  HttpInsecureUrl,
  HttpRequestInvalid,
  type JwksError,
  type JwksKeyNotFound,
  JwksRequestFailed,
} from "../errors/index.ts";
import type { HttpTransport } from "../http/index.ts";
import { maxTimerMs, shortTimeoutMs } from "../http/timeouts.ts";
import { checkTimeOption } from "../number-options.ts";
import { isHttpsOrLoopback, redactUrl } from "../urls/index.ts";
import type { FetchedJwks } from "./fetch.ts";
import { JwksSource, type TrustedKey } from "./index.ts";
import { isWithin, makeRemoteSet } from "./remote-set.ts";

/** How a JWKS is fetched and kept. All times in milliseconds. */
export interface RemoteJwksOptions {
  /** URL of the JWKS; `jwksUrl` of `@agent-auth/agent-identity/urls` derives it from a configured base. */
  readonly url: string;
  /** Accepts plain `http` for hosts other than loopback; the transport must accept it, too. Default false. */
  readonly allowInsecureHttp?: boolean;
  /** Timeout of one request, response body included. Default 10 s. */
  readonly timeoutMs?: number;
  /** Lifetime of a response that states none. Default 5 minutes. */
  readonly defaultLifetimeMs?: number;
  /** The longest lifetime, even if a response states a longer one: a withdrawn key must stop being trusted. Default one day. */
  readonly maxLifetimeMs?: number;
  /** How long past its lifetime a set may be used while the endpoint is unavailable. 0 disables it. Default one hour. */
  readonly maxStaleMs?: number;
  /** Shortest time between two requests that an unknown `kid`, or a failed revalidation, may cause. Default 30 s. */
  readonly cooldownMs?: number;
}

type CheckedOptions = Required<Omit<RemoteJwksOptions, "allowInsecureHttp">> &
  Pick<RemoteJwksOptions, "allowInsecureHttp">;

/** With NaN, a cooldown never ends and a set never goes stale: such numbers are rejected before they are used. */
const checkOptions = (options: RemoteJwksOptions): CheckedOptions => {
  const timeoutMs = options.timeoutMs ?? shortTimeoutMs;
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

/** Returns why the URL must not be requested and a cached set of it must not be used; undefined if both are allowed. */
const problemOfUrl = (
  url: URL | null,
  allowInsecureHttp: boolean | undefined,
): JwksRequestFailed | undefined => {
  if (url === null) {
    const failure = new HttpRequestInvalid({ method: "GET", part: "url" });
    return new JwksRequestFailed({ url: "", failure });
  }
  if (allowInsecureHttp === true || isHttpsOrLoopback(url)) return undefined;
  const failure = new HttpInsecureUrl({ method: "GET", url: redactUrl(url) });
  return new JwksRequestFailed({ url: redactUrl(url), failure });
};

const make = Effect.fnUntraced(function* (options: CheckedOptions) {
  const { cooldownMs, allowInsecureHttp = false } = options;
  const url = URL.parse(options.url);
  const problem = problemOfUrl(url, allowInsecureHttp);
  const remote = yield* makeRemoteSet({ ...options, shownUrl: url === null ? "" : redactUrl(url) });
  let lastMissMs = Number.NEGATIVE_INFINITY;

  /**
   * A set that lacks the key may be older than the key, so it is fetched again: at once, then once per `cooldownMs`.
   */
  const newerThan = Effect.fnUntraced(function* (lacking: FetchedJwks, fetchCountBefore: number) {
    if (remote.fetchCount() > fetchCountBefore) return lacking; // it was fetched during this call
    if (remote.isFetching()) return yield* remote.refetch;
    const nowMs = yield* Clock.currentTimeMillis;
    const failure = remote.recentFailure(nowMs);
    if (failure !== undefined) return yield* failure;
    if (isWithin(lastMissMs, nowMs, cooldownMs)) return lacking;
    lastMissMs = nowMs;
    return yield* remote.refetch;
  });

  const key = Effect.fnUntraced(function* (
    kid: string,
  ): Effect.fn.Return<TrustedKey, JwksKeyNotFound | JwksError> {
    if (problem !== undefined) return yield* problem;
    const fetchCountBefore = remote.fetchCount();
    const current = yield* remote.current;
    if (current.set.has(kid)) return yield* current.set.key(kid);
    const { set } = yield* newerThan(current, fetchCountBefore);
    return yield* set.key(kid);
  });

  return JwksSource.of({ key });
});

/**
 * Keys from a JWKS endpoint (docs/protocol.md §6) over `HttpTransport`, cached in `JwksCache` if one is provided. One
 * request is in flight however many callers wait. A set is kept for the lifetime that `Cache-Control` states, revalidated
 * by ETag, and fetched again for an unknown `kid`: at once, then at most every `cooldownMs`. While the endpoint is
 * unavailable, the last set stays in use for at most `maxStaleMs`, unless its response said `must-revalidate`. Without a
 * set nothing is verified: `key` fails with `JwksError`.
 *
 * Limits: a response of 1 MiB, 100 usable keys, one set per layer; only usable keys are kept.
 *
 * All of this is per layer, not per URL, since two layers may reach one URL through different proxies and root
 * certificates and must not share responses. Build one layer per URL, and share it.
 *
 * Throws `TypeError` or `RangeError` if a time has the wrong type or range.
 *
 * @example
 * ```ts
 * import { HttpTransport } from "@agent-auth/agent-identity/http";
 * import { layer } from "@agent-auth/agent-identity/jwks/remote";
 * import { verifyAgentIdentityJwt } from "@agent-auth/agent-identity/jwt";
 * import * as Effect from "effect/Effect";
 * import * as Layer from "effect/Layer";
 *
 * const response = { status: 200, statusText: "OK", headers: {}, body: '{"keys":[]}' };
 * const offline = Layer.succeed(HttpTransport, { request: () => Effect.succeed(response) });
 * const jwks = layer({ url: "https://authority.example/jwks" }).pipe(Layer.provide(offline));
 *
 * const verification = Effect.flip(verifyAgentIdentityJwt("not.a.jwt"));
 * const { code } = await Effect.runPromise(Effect.provide(verification, jwks));
 * ```
 */
export const layer = (options: RemoteJwksOptions): Layer.Layer<JwksSource, never, HttpTransport> =>
  Layer.effect(JwksSource, make(checkOptions(options)));
