import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { AgentKeyMalformed, JwtVerificationError } from "../errors/index.ts";
import { JwksKeyNotFound, JwksMalformed, JwtSignatureInvalid } from "../errors/index.ts";
import { describeType } from "../encoding/text.ts";
import { checkJwk } from "../jwks/rsa-jwk.ts";
import { parseAgentKey } from "../keys/agent-key.ts";
import { checkTimeOption } from "../number-options.ts";
import { readAgentIdentityClaims } from "../record/index.ts";
import { type AgentIdentityJwtHeader, decodeUnverifiedJws, isShapeError } from "./compact-jws.ts";
import {
  defaultAudience,
  defaultClockToleranceSeconds,
  defaultIssuer,
  type VerifiedAgentIdentity,
  type VerifyJwtOptions,
} from "./index.ts";
import { checkRegisteredClaims, readExpiry } from "./registered-claims.ts";

const maxKnownHeaders = 64;

/** Verifies agent identity JWTs with keys that are in memory, on the calling thread. */
export interface AgentIdentityJwtVerifier {
  /**
   * Returns the identity, or why the token is rejected: `JwtVerificationError` or `AgentKeyMalformed`. `nowMs` is
   * milliseconds since the epoch.
   */
  readonly verify: (
    jwt: string,
    nowMs: number,
  ) => VerifiedAgentIdentity | JwtVerificationError | AgentKeyMalformed;
}

const importKeys = (jwks: { readonly keys: ReadonlyArray<unknown> }): Map<string, KeyObject> => {
  const members: unknown = Reflect.get(Object(jwks), "keys");
  if (!Array.isArray(members)) {
    const problem = `it must be an object with an array of keys, found ${describeType(jwks)}`;
    throw new JwksMalformed({ url: null, problem });
  }
  const keys = new Map<string, KeyObject>();
  for (const member of members) {
    const jwk = checkJwk(member);
    if (jwk === null || "problem" in jwk) continue;
    keys.set(jwk.kid, createPublicKey({ key: { ...jwk }, format: "jwk" }));
  }
  return keys;
};

/**
 * Creates a verifier for servers that hold the keys themselves, such as the issuer. The checks are those of
 * `verifyAgentIdentityJwt`. The signature is verified on the calling thread: that takes about 30 µs, and handing it to
 * another thread takes longer. Keys of the set that must not be used are ignored. Throws `JwksMalformed`, and `TypeError` or
 * `RangeError` for an option of the wrong type or range.
 *
 * @example
 * ```ts
 * import { makeAgentIdentityJwtVerifier } from "@agent-auth/agent-identity/jwt/verifier";
 *
 * const verifier = makeAgentIdentityJwtVerifier({ keys: [] }, { issuer: "https://codex.example" });
 * const verified = verifier.verify("not.a.jwt", Date.now());
 * if ("_tag" in verified) console.error(verified.message);
 * ```
 */
export const makeAgentIdentityJwtVerifier = (
  jwks: { readonly keys: ReadonlyArray<unknown> },
  options: VerifyJwtOptions = {},
): AgentIdentityJwtVerifier => {
  const { issuer = defaultIssuer, audience = defaultAudience } = options;
  if (typeof issuer !== "string" || typeof audience !== "string") {
    throw new TypeError("issuer and audience must be strings");
  }
  const { clockToleranceSeconds = defaultClockToleranceSeconds } = options;
  const toleranceMs =
    checkTimeOption("clockToleranceSeconds", clockToleranceSeconds, { min: 0 }) * 1000;
  const keys = importKeys(jwks);
  /** Headers of tokens that verified: an issuer writes one per key. */
  const knownHeaders = new Map<string, AgentIdentityJwtHeader>();
  return {
    verify: (jwt, nowMs) => {
      const jws = decodeUnverifiedJws(jwt, knownHeaders);
      if (isShapeError(jws)) return jws;
      const { kid } = jws.header;
      const claims = jws.unverifiedClaims;
      const expiry = readExpiry(claims);
      if (typeof expiry !== "number") return expiry;
      const record = readAgentIdentityClaims(claims, nowMs);
      if ("_tag" in record) return record;
      const key = keys.get(kid);
      if (key === undefined) return new JwksKeyNotFound({ kid });
      const { signature, signingInput } = jws;
      // RS256 is PKCS#1 v1.5, Node's default padding for RSA keys. Passing it as an option would make Node take twice
      // as long.
      const signed = Buffer.from(signingInput, "latin1");
      if (signature === null || !verify("sha256", signed, key, signature)) {
        return new JwtSignatureInvalid({ kid });
      }
      const lifetime = checkRegisteredClaims(claims, { issuer, audience, toleranceMs, nowMs });
      if ("_tag" in lifetime) return lifetime;
      if (knownHeaders.size < maxKnownHeaders && !knownHeaders.has(jws.headerPart)) {
        knownHeaders.set(jws.headerPart, jws.header);
      }
      const agentKey = parseAgentKey(record.privateKey);
      if ("_tag" in agentKey) return agentKey;
      return { record, key: agentKey, kid, issuer, audience, ...lifetime };
    },
  };
};
