import type { Credential } from "@agent-auth/login/credential";
import * as Redacted from "effect/Redacted";
import { type AuthHeaders, identityHeaderNames } from "./auth-headers.ts";
import type { RequestTarget } from "./base-url.ts";
import type { ProviderHeader } from "./provider.ts";

type HeaderRecord = Record<string, string>;

/** Headers of a request, in the forms that HTTP clients take. */
export type HeadersLike =
  | Iterable<readonly [string, string]>
  | Readonly<Record<string, string | ReadonlyArray<string> | undefined>>;

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
  readonly #extras: HeaderRecord;
  readonly #own: HeaderRecord;
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
    this.#extras = yielding;
    this.#own = own;
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
    const callers = headerRecord(headers);
    for (const name of this.#owned) delete callers[name];
    return Object.assign(Object.create(null), this.#extras, callers, this.#own);
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

/** Headers as one record under lower-case names, values of one name joined (RFC 9110 §5.3). */
export const headerRecord = (headers: HeadersLike): HeaderRecord => {
  const record: HeaderRecord = Object.create(null);
  for (const [name, value] of pairs(headers)) {
    const lower = name.toLowerCase();
    const earlier = record[lower];
    record[lower] = earlier === undefined ? value : `${earlier}, ${value}`;
  }
  return record;
};

/** Name and value of every header, whichever form they come in. */
export function* pairs(headers: HeadersLike): Generator<readonly [string, string]> {
  if (isIterable(headers)) {
    yield* headers;
    return;
  }
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === "string") yield [name, value];
    else if (value !== undefined) yield [name, value.join(", ")];
  }
}

const isIterable = (headers: HeadersLike): headers is Iterable<readonly [string, string]> =>
  Symbol.iterator in headers;
