import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { type CryptoKey, importJWK } from "jose";
import * as z from "zod/mini";
import { type JwksError, JwksMalformed, JwksKeyNotFound } from "../errors/index.ts";
import { kindOf } from "../encoding/printable.ts";
import { judgeJwk, type UsableRsaJwk } from "./rsa-jwk.ts";

/**
 * A key that decides who is believed. `verifyAgentIdentityJwt` refuses one that is not of RSASSA-PKCS1-v1_5 with SHA-256, or
 * has fewer than 2048 bits; everything else (whose key it is, that it is public, in force and of a sound exponent) is
 * answered for by the `JwksSource` that gives it. Keys of `parseJwks` are all of that.
 */
export interface TrustedKey {
  readonly kid: string;
  readonly key: CryptoKey;
}

/** A parsed set. Each key is imported when it is first asked for, and then kept. */
export interface Jwks {
  /** Ids of the keys that may verify, in the order of the set. */
  readonly kids: ReadonlyArray<string>;
  /** Whether `key` would find one. */
  readonly has: (kid: string) => boolean;
  /** Fails with `JwksKeyNotFound` where the set has no such key, or one that must not be used. */
  readonly key: (kid: string) => Effect.Effect<TrustedKey, JwksKeyNotFound>;
}

const JwksShape = z.object({ keys: z.array(z.unknown()) });

interface Entry {
  readonly jwk: UsableRsaJwk;
  trusted?: TrustedKey;
}

const importKey = (kid: string, entry: Entry): Effect.Effect<TrustedKey, JwksKeyNotFound> =>
  Effect.tryPromise({
    try: async () => {
      const key = await importJWK({ ...entry.jwk }, "RS256");
      if (key instanceof Uint8Array) throw new TypeError("an RSA key is never bytes");
      return (entry.trusted ??= { kid, key });
    },
    catch: () => new JwksKeyNotFound({ kid, because: "it is no RSA public key" }),
  });

const isSameKey = (one: UsableRsaJwk, other: UsableRsaJwk): boolean =>
  one.n === other.n && one.e === other.e;

/** Sorts a set's members into keys by id, and reasons by id why there is none. */
const collect = (members: ReadonlyArray<unknown>) => {
  const usable = new Map<string, Entry>();
  const unusable = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const member of members) {
    const judged = judgeJwk(member);
    if (judged === null) continue;
    const known = usable.get(judged.kid);
    if ("because" in judged) unusable.set(judged.kid, judged.because);
    else if (known === undefined) usable.set(judged.kid, { jwk: judged.jwk });
    else if (!isSameKey(known.jwk, judged.jwk)) ambiguous.add(judged.kid);
  }
  for (const kid of ambiguous) {
    usable.delete(kid);
    unusable.set(kid, "the set has two keys of this id");
  }
  return { usable, unusable };
};

/**
 * Reads a JWKS (RFC 7517 §5) given as parsed JSON. Keys that are not understood, are marked for another use or
 * algorithm, or are too weak are ignored, not refused: a set may hold keys for other readers. Fails with
 * `JwksMalformed` where the value is no set at all; `url` goes into that error only.
 */
export const parseJwks = (
  jwks: unknown,
  url: string | null = null,
): Effect.Effect<Jwks, JwksMalformed> => {
  const read = JwksShape.safeParse(jwks);
  if (!read.success) {
    const problem = `it must be an object with a list of keys, found ${kindOf(jwks)}`;
    return Effect.fail(new JwksMalformed({ url, problem }));
  }
  const { usable, unusable } = collect(read.data.keys);
  const key = (kid: string): Effect.Effect<TrustedKey, JwksKeyNotFound> => {
    const entry = usable.get(kid);
    if (entry?.trusted !== undefined) return Effect.succeed(entry.trusted);
    if (entry !== undefined) return importKey(kid, entry);
    const because = unusable.get(kid);
    return Effect.fail(new JwksKeyNotFound(because === undefined ? { kid } : { kid, because }));
  };
  return Effect.succeed({ kids: [...usable.keys()], has: (kid) => usable.has(kid), key });
};

/**
 * Where verification keys come from. The layer over the network is `./jwks-remote`; whoever writes a source of their own
 * answers for its keys, see `TrustedKey`.
 */
export class JwksSource extends Context.Service<
  JwksSource,
  {
    /** The trusted key of an id. Fails with `JwksKeyNotFound`, or with `JwksError` where there is no set to ask. */
    readonly key: (kid: string) => Effect.Effect<TrustedKey, JwksKeyNotFound | JwksError>;
  }
>()("@agent-auth/agent-identity/jwks") {
  /** A set that never changes, given as parsed JSON. Building the layer fails with `JwksMalformed`. */
  static readonly layerStatic = (jwks: unknown): Layer.Layer<JwksSource, JwksMalformed> =>
    Layer.effect(JwksSource, parseJwks(jwks));

  /**
   * A set in memory that its owner may replace at any time, as a rotating authority does. Starts without keys. `replace`
   * takes parsed JSON and fails with `JwksMalformed`, which leaves the earlier set in place.
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
