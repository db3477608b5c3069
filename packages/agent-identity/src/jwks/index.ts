import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { type CryptoKey, importJWK } from "jose";
import { describeType } from "../encoding/text.ts";
import { type JwksError, JwksKeyNotFound, JwksMalformed } from "../errors/index.ts";
import { checkJwk, type UsableRsaJwk } from "./rsa-jwk.ts";

/**
 * A key that signatures are verified with. `verifyAgentIdentityJwt` rejects a key that is not a public RSASSA-PKCS1-v1_5
 * key with SHA-256 of at least 2048 bits. The `JwksSource` is responsible for everything else: whose key it is, that it is
 * current, and that its exponent is safe. Keys of `parseJwks` satisfy all of this.
 */
export interface TrustedKey {
  readonly kid: string;
  readonly key: CryptoKey;
}

/** A parsed JWKS: its usable keys and nothing else of the document. Each key is imported at its first use. */
export interface Jwks {
  /** The usable keys as a JWKS document, in the order of the set. */
  readonly document: { readonly keys: ReadonlyArray<UsableRsaJwk> };
  /** Whether `key` would find a key. */
  readonly has: (kid: string) => boolean;
  /** Fails with `JwksKeyNotFound` if the set has no such key, or one that must not be used. */
  readonly key: (kid: string) => Effect.Effect<TrustedKey, JwksKeyNotFound>;
}

/** How many usable keys a JWKS may have. Authorities publish fewer than ten. */
const maxUsableKeys = 100;
/** How many unusable keys are remembered with their reason, for error messages. */
const maxUnusableKeys = 100;

interface Entry {
  readonly jwk: UsableRsaJwk;
  trusted?: TrustedKey;
}

const importKey = (kid: string, entry: Entry): Effect.Effect<TrustedKey, JwksKeyNotFound> =>
  Effect.tryPromise({
    try: async () => {
      const key = await importJWK({ ...entry.jwk }, "RS256");
      if (key instanceof Uint8Array) throw new TypeError("an RSA key is not bytes");
      return (entry.trusted ??= { kid, key });
    },
    catch: () => new JwksKeyNotFound({ kid, problem: "it is not an RSA public key" }),
  });

/** Sorts the members of a set into usable keys and reasons by `kid`, or returns null if there are too many keys. */
const sortMembers = (members: ReadonlyArray<unknown>) => {
  const usable = new Map<string, Entry>();
  const unusable = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const member of members) {
    const jwk = checkJwk(member);
    if (jwk === null) continue;
    const known = usable.get(jwk.kid)?.jwk;
    if ("problem" in jwk) {
      if (unusable.size < maxUnusableKeys) unusable.set(jwk.kid, jwk.problem);
    } else if (known === undefined) {
      if (usable.size === maxUsableKeys) return null;
      usable.set(jwk.kid, { jwk });
    } else if (known.n !== jwk.n || known.e !== jwk.e) ambiguous.add(jwk.kid);
  }
  for (const kid of ambiguous) {
    usable.delete(kid);
    unusable.set(kid, "the set has two keys with this kid");
  }
  return { usable, unusable };
};

/**
 * Parses a JWKS (RFC 7517 §5) given as parsed JSON. Keys that are not understood, are marked for another use or algorithm,
 * or are too weak are ignored, since a set may contain keys for other readers. Nothing else of the document is kept.
 * Fails with `JwksMalformed` if the value is not a JWKS or has more than 100 usable keys; `url` is used in that error only.
 *
 * @example
 * ```ts
 * import { parseJwks } from "@agent-auth/agent-identity/jwks";
 * import * as Effect from "effect/Effect";
 *
 * const jwks = await Effect.runPromise(parseJwks({ keys: [{ kty: "EC", kid: "key-1" }] }));
 * jwks.has("key-1"); // false: it is not an RSA key
 * ```
 */
export const parseJwks = (
  jwks: unknown,
  url: string | null = null,
): Effect.Effect<Jwks, JwksMalformed> => {
  const members: unknown = Reflect.get(Object(jwks), "keys");
  if (!Array.isArray(members)) {
    const problem = `it must be an object with an array of keys, found ${describeType(jwks)}`;
    return Effect.fail(new JwksMalformed({ url, problem }));
  }
  const sorted = sortMembers(members);
  if (sorted === null) {
    const problem = `it has more than ${maxUsableKeys} usable keys`;
    return Effect.fail(new JwksMalformed({ url, problem }));
  }
  const { usable, unusable } = sorted;
  const key = (kid: string): Effect.Effect<TrustedKey, JwksKeyNotFound> => {
    const entry = usable.get(kid);
    if (entry?.trusted !== undefined) return Effect.succeed(entry.trusted);
    if (entry !== undefined) return importKey(kid, entry);
    const problem = unusable.get(kid);
    return Effect.fail(new JwksKeyNotFound(problem === undefined ? { kid } : { kid, problem }));
  };
  return Effect.succeed({
    document: { keys: Array.from(usable.values(), ({ jwk }) => jwk) },
    has: (kid) => usable.has(kid),
    key,
  });
};

/**
 * Provides the keys that tokens are verified with. `@agent-auth/agent-identity/jwks/remote` is the layer over the network.
 * A custom source is responsible for its keys, see `TrustedKey`.
 *
 * @example
 * ```ts
 * import { JwksSource } from "@agent-auth/agent-identity/jwks";
 * import { verifyAgentIdentityJwt } from "@agent-auth/agent-identity/jwt";
 * import * as Effect from "effect/Effect";
 *
 * const { layer, replace } = JwksSource.makeMemory();
 * await Effect.runPromise(replace({ keys: [] }));
 * const program = Effect.flip(verifyAgentIdentityJwt("not.a.jwt")).pipe(Effect.provide(layer));
 * const { code } = await Effect.runPromise(program);
 * ```
 */
export class JwksSource extends Context.Service<
  JwksSource,
  {
    /** The trusted key of a `kid`. Fails with `JwksKeyNotFound`, or with `JwksError` if no JWKS is available. */
    readonly key: (kid: string) => Effect.Effect<TrustedKey, JwksKeyNotFound | JwksError>;
  }
>()("@agent-auth/agent-identity/jwks") {
  /** A JWKS that never changes, given as parsed JSON. Building the layer fails with `JwksMalformed`. */
  static readonly layerStatic = (jwks: unknown): Layer.Layer<JwksSource, JwksMalformed> =>
    Layer.effect(JwksSource, parseJwks(jwks));

  /**
   * A JWKS in memory that its owner may replace at any time, as an authority that rotates its keys does. Starts without
   * keys. `replace` takes parsed JSON; it fails with `JwksMalformed` and then keeps the earlier set.
   */
  static readonly makeMemory = (): {
    readonly layer: Layer.Layer<JwksSource>;
    readonly replace: (jwks: unknown) => Effect.Effect<void, JwksMalformed>;
  } => {
    let current: Jwks | undefined;
    const key = (kid: string): Effect.Effect<TrustedKey, JwksKeyNotFound> =>
      current === undefined ? Effect.fail(new JwksKeyNotFound({ kid })) : current.key(kid);
    const replace = (jwks: unknown): Effect.Effect<void, JwksMalformed> =>
      Effect.map(parseJwks(jwks), (set) => {
        current = set;
      });
    return { layer: Layer.succeed(JwksSource, JwksSource.of({ key })), replace };
  };
}
