import type { Credential } from "@agent-auth/login/credential";
import * as Redacted from "effect/Redacted";
import { type AuthHeaders, identityHeaderNames } from "./auth-headers.ts";
import type { RequestTarget } from "../provider/base-url.ts";
import type { ProviderHeader } from "../provider/index.ts";

type HeaderRecord = Record<string, string>;

type HeaderValue = string | number | ReadonlyArray<string> | undefined;

/** Headers of a request, in the forms that HTTP clients take. */
export type HeadersLike =
  | Iterable<readonly [string, HeaderValue]>
  | Readonly<Record<string, HeaderValue>>;

/**
 * What goes onto one attempt of a request: the identity's headers, the provider's, and where they may be sent.
 * Printing it, or making JSON of it, shows names only.
 */
export class SignedHeaders {
  /** The credential that signed; handed back to `recover` after a 401. `null` where none was needed. */
  readonly credential: Credential | null;
  /** Where these headers belong. They are for its origin only. */
  readonly target: RequestTarget;
  readonly #written: HeaderRecord;
  readonly #all: HeaderRecord;
  readonly #extras: ReadonlyArray<readonly [string, string]>;
  readonly #own: ReadonlyArray<readonly [string, string]>;
  readonly #flat: ReadonlyArray<string> | null;
  readonly #owned: ReadonlySet<string>;

  constructor(
    credential: Credential | null,
    target: RequestTarget,
    identity: AuthHeaders,
    extras: ReadonlyArray<ProviderHeader>,
  ) {
    this.credential = credential;
    this.target = target;
    const own: Record<string, string> = lowerCased(identity);
    const yielding: Record<string, string> = Object.create(null);
    const written: Record<string, string> = {};
    for (const { name, value } of extras) {
      const lower = name.toLowerCase();
      if (lower in own || (credential !== null && identityHeaderNames.has(lower))) continue;
      (identityHeaderNames.has(lower) ? own : yielding)[lower] = Redacted.value(value);
      written[name] = Redacted.value(value);
    }
    this.#owned = credential === null ? new Set(Object.keys(own)) : identityHeaderNames;
    this.#extras = Object.entries(yielding);
    this.#own = Object.entries(own);
    this.#flat = credential === null || extras.length > 0 ? null : Object.entries(own).flat();
    this.#all = Object.freeze(Object.assign(Object.create(null), yielding, own));
    this.#written = { ...written, ...identity };
  }

  /** Names of the headers, as they are written. */
  get names(): ReadonlyArray<string> {
    return Object.keys(this.#written);
  }

  /** The headers in plain text, to be given to an HTTP client. Whoever holds this holds the secrets. */
  toRecord(): Record<string, string> {
    return { ...this.#written };
  }

  /**
   * The caller's headers with these on them, under lower-case names. The identity's headers replace the caller's
   * (an SDK's placeholder key, say); the provider's give way to the caller's.
   */
  applyTo(headers: HeadersLike | null | undefined): HeaderRecord {
    if (headers === null || headers === undefined) return this.#all;
    const merged = headerRecord(headers, this.#owned);
    for (const [name, value] of this.#extras) merged[name] ??= value;
    for (const [name, value] of this.#own) merged[name] = value;
    return merged;
  }

  /**
   * A fresh flat list of the identity's names and values; `null` where there is more to do than to put them in the
   * place of a caller's own: a provider that adds headers, or one that needs no credential.
   */
  flatIdentity(): Array<string> | null {
    return this.#flat === null ? null : [...this.#flat];
  }

  toJSON(): unknown {
    return { headers: this.names, target: this.target };
  }

  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    return this.toJSON();
  }
}

const lowerCased = (headers: AuthHeaders): Record<string, string> => {
  const lower: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(headers)) lower[name.toLowerCase()] = value;
  return lower;
};

/** Whether a header belongs to the identity, whichever way it is spelt. Lengths are compared first: it is asked often. */
export const isIdentityHeader = (name: string): boolean =>
  identityNameLengths.has(name.length) && identityHeaderNames.has(name.toLowerCase());

const identityNameLengths: ReadonlySet<number> = new Set(
  Array.from(identityHeaderNames, (name) => name.length),
);

/**
 * Headers as one record under lower-case names, but for those `without`. Values of one name are joined: with a comma
 * (RFC 9110 §5.3), cookies with a semicolon (RFC 6265 §5.4).
 */
export const headerRecord = (
  headers: HeadersLike,
  without: ReadonlySet<string> = nothing,
): HeaderRecord => {
  const record: HeaderRecord = {};
  const add = (name: string, value: HeaderValue): void => {
    const lower = name.toLowerCase();
    if (value === undefined || without.has(lower)) return;
    const separator = lower === "cookie" ? "; " : ", ";
    const text = typeof value === "string" ? value : [value].flat().join(separator);
    record[lower] = Object.hasOwn(record, lower) ? record[lower] + separator + text : text;
  };
  if (isIterable(headers)) for (const [name, value] of headers) add(name, value);
  else for (const name of Object.keys(headers)) add(name, headers[name]);
  return record;
};

const nothing: ReadonlySet<string> = new Set();

/** Headers that can be read for every attempt: an iterator would be spent by the first. */
export const lasting = <H extends HeadersLike>(headers: H): H | HeaderRecord =>
  "next" in headers && typeof headers.next === "function" ? headerRecord(headers) : headers;

const isIterable = (headers: HeadersLike): headers is Iterable<readonly [string, HeaderValue]> =>
  Symbol.iterator in headers;
