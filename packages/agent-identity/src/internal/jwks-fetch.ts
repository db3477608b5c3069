import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { JwksEndpointError, type JwksError, JwksMalformed, JwksRequestFailed } from "../errors.ts";
import type { HttpResponse, HttpTransport } from "../http-transport.ts";
import { type Jwks, parseJwks } from "../jwks.ts";
import type { CachedJwks } from "../jwks-cache.ts";
import { readFreshness } from "./cache-control.ts";

export interface FetchOptions {
  readonly url: string;
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
  const { url, timeoutMs } = options;
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
      ? new JwksMalformed({ url, problem: `the answer is larger than ${maxJwksBytes} bytes` })
      : new JwksRequestFailed({ url, failure }),
  );
});

/** One request for the set, conditional (RFC 9110 §13.1.2) where the held one has an ETag. */
export const fetchJwks = Effect.fnUntraced(function* (
  transport: HttpTransport["Service"],
  options: FetchOptions,
  held: HeldJwks | undefined,
): Effect.fn.Return<HeldJwks, JwksError> {
  const { url } = options;
  const answer = yield* requestJwks(transport, options, held?.entry.etag);
  const nowMs = yield* Clock.currentTimeMillis;
  const { lifetimeMs, noStore, mustRevalidate } = readFreshness(answer.headers);
  const kept = Math.min(lifetimeMs ?? options.defaultLifetimeMs, options.maxLifetimeMs);
  const dates = { fetchedAtMs: nowMs, freshUntilMs: nowMs + kept, mustRevalidate };
  if (answer.status === 304 && held?.entry.etag !== undefined) {
    return { set: held.set, entry: { ...held.entry, ...dates }, noStore };
  }
  if (answer.status !== 200) return yield* new JwksEndpointError({ url, status: answer.status });
  const jwks = yield* parseJson(answer.body, url);
  const set = yield* parseJwks(jwks, url);
  const { etag } = answer.headers;
  const entry = { jwks, ...dates, ...(etag === undefined ? {} : { etag }) };
  return { set, entry, noStore };
});
