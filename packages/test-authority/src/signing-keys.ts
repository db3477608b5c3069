import { createHash, generateKeyPair, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { promisify } from "node:util";

interface RsaPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** A key pair and the id that it is published under. */
export interface SigningKey extends RsaPair {
  readonly kid: string;
}

const generateRsa = (): Promise<RsaPair> =>
  promisify(generateKeyPair)("rsa", { modulusLength: 2048 });

// A 2048-bit pair costs about 100 ms of CPU. Every authority of a process starts on one shared pair, under a kid
// of its own; rotation makes a pair that nobody shares. Whatever must not verify is signed with the stranger's.
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
  if (n === undefined || e === undefined) throw new TypeError("the signing key is no RSA key");
  return { kty: "RSA", n, e, kid, alg: "RS256", use: "sig" };
};

/** A JWK Set (RFC 7517 §5): the authority's keys, and whatever was published beside them. */
export interface KeySet {
  readonly keys: ReadonlyArray<PublicJwk | Readonly<Record<string, unknown>>>;
}

/** The authority's signing keys: the newest signs, all that were not dropped are published. */
export class SigningKeys {
  #current: Promise<SigningKey> | undefined;
  #retired: ReadonlyArray<SigningKey> = [];
  #foreign: ReadonlyArray<Readonly<Record<string, unknown>>> = [];

  /** Makes the first pair in the background, so that nobody waits for it later. */
  warmUp(): void {
    // A failure shows where the key is used; here it would only be an unhandled rejection.
    sharedPair().catch(() => undefined);
  }

  current(): Promise<SigningKey> {
    return (this.#current ??= sharedPair().then(withNewKid));
  }

  /** A key that is in no set. */
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

  /** The keys that this authority signs with, or signed with before. */
  async ownJwks(): Promise<{ readonly keys: ReadonlyArray<PublicJwk> }> {
    return { keys: [await this.current(), ...this.#retired].map(toJwk) };
  }

  /** What is published. */
  async jwks(): Promise<KeySet> {
    return { keys: [...this.#foreign, ...(await this.ownJwks()).keys] };
  }
}

/** A strong entity tag of a text (RFC 9110 §8.8.3). */
export const entityTag = (text: string): string =>
  `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
