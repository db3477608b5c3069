import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import {
  JwksEndpointError,
  type JwksError,
  JwksMalformed,
  JwksRequestFailed,
} from "../errors/index.ts";
import type { HttpResponse, HttpTransport } from "../http/index.ts";
import { type Jwks, parseJwks } from "./index.ts";
import type { CachedJwks } from "./cache.ts";
import { type Freshness, readFreshness } from "./cache-control.ts";

/** Which set is fetched, and how long it may live. All times in milliseconds. */
export interface FetchOptions {
  readonly url: string;
  /** The same without what errors must not show. */
  readonly shownUrl: string;
  readonly timeoutMs: number;
  /** For answers that state no lifetime. */
  readonly defaultLifetimeMs: number;
  /** However long an answer says it lives. */
  readonly maxLifetimeMs: number;
}

/** A set in use, with what it takes to revalidate it and to keep it elsewhere. */
export interface HeldJwks {
  readonly set: Jwks;
  readonly entry: CachedJwks;
  readonly noStore: boolean;
}

const maxJwksBytes = 1_048_576;

const parseJson = (body: string, url: string): Effect.Effect<unknown, JwksMalformed> =>
  Effect.try({
    try: (): unknown => JSON.parse(body),
    catch: () => new JwksMalformed({ url, problem: "the answer is not JSON" }),
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
          problem: `the answer is larger than ${maxJwksBytes} bytes`,
        })
      : new JwksRequestFailed({ url: shownUrl, failure }),
  );
});

/** A 304 replaces the headers that it brings and no others (RFC 9111 §3.2): a silent one changes no promise. */
const freshnessOf304 = (answer: HttpResponse, held: HeldJwks): Freshness => {
  if (answer.headers["cache-control"] !== undefined) return readFreshness(answer.headers);
  const { fetchedAtMs, freshUntilMs, mustRevalidate } = held.entry;
  const lifetimeMs = Math.max(0, freshUntilMs - fetchedAtMs);
  return { lifetimeMs, noStore: held.noStore, mustRevalidate };
};

/** A validator that fits into a request header; a server that sends another one has none. */
const usableEtag = (etag: string | undefined): string | undefined =>
  etag !== undefined && /^[\x21-\x7e\x80-\xff]{1,512}$/.test(etag) ? etag : undefined;

/** One request for the set, conditional (RFC 9110 §13.1.2) where the one to revalidate has an ETag. */
export const fetchJwks = Effect.fnUntraced(function* (
  transport: HttpTransport["Service"],
  options: FetchOptions,
  stored: HeldJwks | undefined,
): Effect.fn.Return<HeldJwks, JwksError> {
  const url = options.shownUrl;
  const validator = usableEtag(stored?.entry.etag);
  const answer = yield* requestJwks(transport, options, validator);
  const nowMs = yield* Clock.currentTimeMillis;
  const renewed = answer.status === 304 && validator !== undefined ? stored : undefined;
  const freshness = renewed ? freshnessOf304(answer, renewed) : readFreshness(answer.headers);
  const { lifetimeMs, noStore, mustRevalidate } = freshness;
  const kept = Math.min(lifetimeMs ?? options.defaultLifetimeMs, options.maxLifetimeMs);
  const dates = { fetchedAtMs: nowMs, freshUntilMs: nowMs + kept, mustRevalidate };
  if (renewed) return { set: renewed.set, entry: { ...renewed.entry, ...dates }, noStore };
  if (answer.status !== 200) return yield* new JwksEndpointError({ url, status: answer.status });
  const jwks = yield* parseJson(answer.body, url);
  const set = yield* parseJwks(jwks, url);
  const etag = usableEtag(answer.headers["etag"]);
  const entry = { jwks, ...dates, ...(etag === undefined ? {} : { etag }) };
  return { set, entry, noStore };
});
