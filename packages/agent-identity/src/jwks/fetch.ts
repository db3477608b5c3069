import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import {
  JwksEndpointError,
  type JwksError,
  JwksMalformed,
  JwksRequestFailed,
} from "../errors/index.ts";
import type { HttpResponse, HttpTransport } from "../http/index.ts";
import type { CachedJwks } from "./cache.ts";
import { type Freshness, readFreshness } from "./cache-control.ts";
import { type Jwks, parseJwks } from "./index.ts";

/** Which JWKS is fetched, and how long it may be used. All times in milliseconds. */
export interface FetchOptions {
  readonly url: string;
  /** The URL as errors show it. */
  readonly shownUrl: string;
  readonly timeoutMs: number;
  /** Lifetime of a response that states none. */
  readonly defaultLifetimeMs: number;
  /** The longest lifetime, even if the response states a longer one. */
  readonly maxLifetimeMs: number;
}

/** A JWKS in use, with what is needed to revalidate and to cache it. */
export interface FetchedJwks {
  readonly set: Jwks;
  readonly entry: CachedJwks;
  readonly noStore: boolean;
}

const maxJwksBytes = 1_048_576;

const parseJson = (body: string, url: string): Effect.Effect<unknown, JwksMalformed> =>
  Effect.try({
    try: (): unknown => JSON.parse(body),
    catch: () => new JwksMalformed({ url, problem: "the response is not JSON" }),
  });

const requestJwks = Effect.fnUntraced(function* (
  transport: HttpTransport["Service"],
  options: FetchOptions,
  etag: string | undefined,
): Effect.fn.Return<HttpResponse, JwksError> {
  const { url, shownUrl, timeoutMs } = options;
  const request = transport.request({
    method: "GET",
    url,
    headers: {
      accept: "application/json",
      ...(etag === undefined ? {} : { "if-none-match": etag }),
    },
    timeoutMs,
    maxBodyBytes: maxJwksBytes,
  });
  return yield* Effect.mapError(request, (failure) =>
    failure._tag === "HttpBodyTooLarge"
      ? new JwksMalformed({
          url: shownUrl,
          problem: `the response is larger than ${maxJwksBytes} bytes`,
        })
      : new JwksRequestFailed({ url: shownUrl, failure }),
  );
});

/** A 304 replaces only the headers that it contains (RFC 9111 §3.2): without `Cache-Control`, the lifetime stays. */
const freshnessOf304 = (response: HttpResponse, stored: FetchedJwks): Freshness => {
  if (response.headers["cache-control"] !== undefined) return readFreshness(response.headers);
  const { fetchedAtMs, freshUntilMs, mustRevalidate } = stored.entry;
  const lifetimeMs = Math.max(0, freshUntilMs - fetchedAtMs);
  return { lifetimeMs, noStore: stored.noStore, mustRevalidate };
};

/** An ETag that is valid in a request header, else undefined. */
const usableEtag = (etag: string | undefined): string | undefined =>
  etag !== undefined && /^[\x21-\x7e\x80-\xff]{1,512}$/.test(etag) ? etag : undefined;

/** Requests the JWKS once, conditionally (RFC 9110 §13.1.2) if `stored` has an ETag. */
export const fetchJwks = Effect.fnUntraced(function* (
  transport: HttpTransport["Service"],
  options: FetchOptions,
  stored: FetchedJwks | undefined,
): Effect.fn.Return<FetchedJwks, JwksError> {
  const url = options.shownUrl;
  const validator = usableEtag(stored?.entry.etag);
  const response = yield* requestJwks(transport, options, validator);
  const nowMs = yield* Clock.currentTimeMillis;
  const revalidated = response.status === 304 && validator !== undefined ? stored : undefined;
  const freshness = revalidated
    ? freshnessOf304(response, revalidated)
    : readFreshness(response.headers);
  const { lifetimeMs, noStore, mustRevalidate } = freshness;
  const keptMs = Math.min(lifetimeMs ?? options.defaultLifetimeMs, options.maxLifetimeMs);
  const dates = { fetchedAtMs: nowMs, freshUntilMs: nowMs + keptMs, mustRevalidate };
  if (revalidated) {
    return { set: revalidated.set, entry: { ...revalidated.entry, ...dates }, noStore };
  }
  if (response.status !== 200) {
    return yield* new JwksEndpointError({ url, status: response.status });
  }
  const set = yield* parseJwks(yield* parseJson(response.body, url), url);
  const etag = usableEtag(response.headers["etag"]);
  const entry = { jwks: set.document, ...dates, ...(etag === undefined ? {} : { etag }) };
  return { set, entry, noStore };
});
