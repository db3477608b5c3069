import { type Credential, isSameAccount } from "@agent-auth/login/credential";
import * as Redacted from "effect/Redacted";
import type { RequestTarget } from "../provider/base-url.ts";
import type { ProviderHeader } from "../provider/index.ts";
import { type AuthHeaders, authHeaderNames } from "./auth-headers.ts";
import {
  dropCredentialProtocols,
  type HeaderRecord,
  headerRecord,
  type HeadersLike,
  isProtocolHeader,
} from "./header-record.ts";

/**
 * The headers of one attempt of a request: those of the credential, those of the provider's configuration, and the
 * address that they may be sent to. Printing it or turning it into JSON shows names only.
 *
 * @example
 * ```ts
 * import { SignedHeaders } from "@agent-auth/model-provider/signing/headers";
 * import * as Redacted from "effect/Redacted";
 *
 * const target = { baseUrl: "https://api.example.com/v1", origin: "https://api.example.com", basePath: "/v1" };
 * const key = { name: "api-key", value: Redacted.make("secret"), isCredential: true };
 * const signed = new SignedHeaders(null, target, {}, [key]);
 * console.log(signed.names); // ["api-key"]
 * ```
 */
export class SignedHeaders {
  /** The credential that was used; pass this object to `recover` after a 401. `null` if none is needed. */
  readonly credential: Credential | null;
  /** The token of the gateway that was used; `null` without a gateway. */
  readonly gateway: Credential | null;
  /** Where the request goes. The headers must be sent to its origin only. */
  readonly target: RequestTarget;
  /** Whether the headers contain a credential: the one above, or one that the provider's configuration sets. */
  readonly isAuthenticated: boolean;
  readonly #asWritten: HeaderRecord;
  readonly #lowerCased: HeaderRecord;
  readonly #entries: ReadonlyArray<readonly [string, string]>;
  readonly #flat: ReadonlyArray<string>;
  /** Lower-case names of a caller's headers that are replaced or dropped. */
  readonly #replaced: ReadonlySet<string>;
  readonly #replacedLengths: ReadonlySet<number>;

  constructor(
    credential: Credential | null,
    target: RequestTarget,
    auth: AuthHeaders & Readonly<Record<string, string>>,
    configured: ReadonlyArray<ProviderHeader>,
    gateway: Credential | null = null,
  ) {
    this.credential = credential;
    this.gateway = gateway;
    this.target = target;
    const lowerCased: HeaderRecord = Object.create(null);
    const asWritten: HeaderRecord = {};
    const add = (name: string, value: string): void => {
      lowerCased[name.toLowerCase()] = value;
      asWritten[name] = value;
    };
    for (const { name, value } of configured)
      if (credential === null || !authHeaderNames.has(name.toLowerCase()))
        add(name, Redacted.value(value));
    for (const [name, value] of Object.entries(auth)) add(name, value);
    this.isAuthenticated = this.canRecover || configured.some((one) => one.isCredential);
    this.#asWritten = asWritten;
    this.#lowerCased = Object.freeze(lowerCased);
    this.#entries = Object.entries(lowerCased);
    this.#flat = this.#entries.flat();
    this.#replaced = new Set([
      ...Object.keys(lowerCased),
      ...(this.isAuthenticated ? authHeaderNames : []),
    ]);
    this.#replacedLengths = new Set(Array.from(this.#replaced, (name) => name.length));
  }

  /** Whether a 401 may be recovered from: it has a credential that is not part of the configuration. */
  get canRecover(): boolean {
    return this.credential !== null || this.gateway !== null;
  }

  /** Names of the headers, as they are written. */
  get names(): ReadonlyArray<string> {
    return Object.keys(this.#asWritten);
  }

  /** Returns the headers in plain text, for an HTTP client. The values are secrets. */
  toRecord(): Record<string, string> {
    return { ...this.#asWritten };
  }

  /**
   * Returns a caller's headers together with these, under lower-case names. These take precedence, and a caller's own
   * credential (`Authorization`, a key in a WebSocket subprotocol) is dropped if the provider has one.
   */
  mergeInto(headers: HeadersLike | null | undefined): HeaderRecord {
    if (headers === null || headers === undefined) return this.#lowerCased;
    const merged = headerRecord(headers, this.#replaced);
    if (this.isAuthenticated) dropCredentialProtocols(merged);
    for (const [name, value] of this.#entries) merged[name] = value;
    return merged;
  }

  /**
   * The same as a flat list of names and values. Returns `null` if a value is not text, or if headers have to be
   * changed and not only replaced: use `mergeInto` then, which is slower.
   */
  mergeFlat(headers: Readonly<Record<string, unknown>>): Array<string> | null {
    const flat = [...this.#flat];
    for (const name of Object.keys(headers)) {
      const value = headers[name];
      if (typeof value !== "string" || (this.isAuthenticated && isProtocolHeader(name)))
        return null;
      // Lengths are compared first: that is much cheaper than converting every name to lower case.
      if (!this.#replacedLengths.has(name.length) || !this.#replaced.has(name.toLowerCase()))
        flat.push(name, value);
    }
    return flat;
  }

  /**
   * Returns whether later headers may be sent with a request that was made for these: same origin, same kind of
   * credential, same account. Otherwise the request must not be repeated, because it would be sent for another account.
   */
  mayBeReplacedBy(later: SignedHeaders): boolean {
    return (
      later === this ||
      (later.target.origin === this.target.origin && isSameOwner(this.credential, later.credential))
    );
  }

  toJSON(): unknown {
    return { headers: this.names, target: this.target };
  }

  [Symbol.for("nodejs.util.inspect.custom")](): unknown {
    return this.toJSON();
  }
}

/**
 * Tokens are compared by account, because they change. An API key does not name its owner, so only the same key counts.
 */
const isSameOwner = (a: Credential | null, b: Credential | null): boolean => {
  if (a === null || b === null || a === b) return a === b;
  if (a._tag === "ApiKey" && b._tag === "ApiKey")
    return Redacted.value(a.apiKey) === Redacted.value(b.apiKey);
  return a._tag === b._tag && isSameAccount(a.account, b.account);
};
