import { generateKeyPair, type KeyObject, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import {
  publicJwk,
  type PublicJwk,
  type SigningKey as GatewaySigningKey,
  signingKeyOf,
} from "@agent-auth/gateway/issuer";

export type { PublicJwk } from "@agent-auth/gateway/issuer";

/** A key and its key id. */
export type SigningKey = GatewaySigningKey;

const generateRsa = async (): Promise<KeyObject> => {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  return privateKey;
};

// Generating a 2048-bit pair takes about 100 ms of CPU. All authorities of a process start with the same pair, each
// under its own kid; rotation generates a new one. Tokens that must not verify are signed with a key that is never
// published.
const once = (): (() => Promise<KeyObject>) => {
  let key: Promise<KeyObject> | undefined;
  return () => (key ??= generateRsa());
};
const sharedKey = once();
const strangerKey = once();

const withNewKid = (privateKey: KeyObject): SigningKey =>
  signingKeyOf(privateKey, { kid: `key-${randomBytes(6).toString("hex")}` });

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
    sharedKey().catch(() => undefined);
  }

  current(): Promise<SigningKey> {
    return (this.#current ??= sharedKey().then(withNewKid));
  }

  /** A key that is never published. */
  async stranger(): Promise<SigningKey> {
    return withNewKid(await strangerKey());
  }

  /** Signs with a new pair from now on. The earlier keys stay published unless `keepOld` is false. */
  async rotate(keepOld: boolean): Promise<SigningKey> {
    const old = await this.current();
    const next = withNewKid(await generateRsa());
    this.#retired = keepOld ? [old, ...this.#retired] : [];
    this.#current = Promise.resolve(next);
    return next;
  }

  /** Publishes these keys unchanged, in place of those of an earlier call. This authority does not sign with them. */
  publish(keys: ReadonlyArray<Readonly<Record<string, unknown>>>): void {
    this.#foreign = keys;
  }

  /** The published keys that this authority signs or has signed with. */
  async ownJwks(): Promise<{ readonly keys: ReadonlyArray<PublicJwk> }> {
    return { keys: [await this.current(), ...this.#retired].map(publicJwk) };
  }

  /** The published key set. */
  async jwks(): Promise<KeySet> {
    return { keys: [...this.#foreign, ...(await this.ownJwks()).keys] };
  }
}
