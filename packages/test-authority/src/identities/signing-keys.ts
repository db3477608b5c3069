import { createHash, generateKeyPair, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { promisify } from "node:util";

interface RsaPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** A key pair and its key id. */
export interface SigningKey extends RsaPair {
  readonly kid: string;
}

const generateRsa = (): Promise<RsaPair> =>
  promisify(generateKeyPair)("rsa", { modulusLength: 2048 });

// Generating a 2048-bit pair takes about 100 ms of CPU. All authorities of a process start with the same pair, each
// under its own kid; rotation generates a new one. Tokens that must not verify are signed with a key that is never
// published.
const once = (): (() => Promise<RsaPair>) => {
  let pair: Promise<RsaPair> | undefined;
  return () => (pair ??= generateRsa());
};
const sharedPair = once();
const strangerPair = once();

const withNewKid = (pair: RsaPair): SigningKey => ({
  ...pair,
  kid: `key-${randomBytes(6).toString("hex")}`,
});

/** A public RSA key as a JWK (RFC 7517), marked for RS256 signatures. */
export interface PublicJwk {
  readonly kty: "RSA";
  readonly n: string;
  readonly e: string;
  readonly kid: string;
  readonly alg: "RS256";
  readonly use: "sig";
}

const toJwk = ({ kid, publicKey }: SigningKey): PublicJwk => {
  const { n, e } = publicKey.export({ format: "jwk" });
  if (n === undefined || e === undefined) throw new TypeError("the signing key is not an RSA key");
  return { kty: "RSA", n, e, kid, alg: "RS256", use: "sig" };
};

/** A JWK Set (RFC 7517 §5): the authority's keys and those added by `publishKeys`. */
export interface KeySet {
  readonly keys: ReadonlyArray<PublicJwk | Readonly<Record<string, unknown>>>;
}

/** The authority's signing keys: the newest signs; all that were not dropped are published. */
export class SigningKeys {
  #current: Promise<SigningKey> | undefined;
  #retired: ReadonlyArray<SigningKey> = [];
  #foreign: ReadonlyArray<Readonly<Record<string, unknown>>> = [];

  /** Generates the first pair in the background, before it is needed. */
  warmUp(): void {
    // A failure is reported when the key is used; here it would only be an unhandled rejection.
    sharedPair().catch(() => undefined);
  }

  current(): Promise<SigningKey> {
    return (this.#current ??= sharedPair().then(withNewKid));
  }

  /** A key that is never published. */
  async stranger(): Promise<SigningKey> {
    return withNewKid(await strangerPair());
  }

  /** Signs with a new pair from now on; the old key stays published unless `keepOld` is false. */
  async rotate(keepOld: boolean): Promise<SigningKey> {
    const old = await this.current();
    const next = withNewKid(await generateRsa());
    this.#retired = keepOld ? [old, ...this.#retired] : [];
    this.#current = Promise.resolve(next);
    return next;
  }

  /** Publishes keys that this authority does not sign with, as they are. */
  publish(keys: ReadonlyArray<Readonly<Record<string, unknown>>>): void {
    this.#foreign = keys;
  }

  /** The published keys that this authority signs or has signed with. */
  async ownJwks(): Promise<{ readonly keys: ReadonlyArray<PublicJwk> }> {
    return { keys: [await this.current(), ...this.#retired].map(toJwk) };
  }

  /** The published key set. */
  async jwks(): Promise<KeySet> {
    return { keys: [...this.#foreign, ...(await this.ownJwks()).keys] };
  }
}

/** A strong entity tag of a text (RFC 9110 §8.8.3). */
export const entityTag = (text: string): string =>
  `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
