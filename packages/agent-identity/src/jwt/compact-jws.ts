import {
  JwtAlgorithmNotAllowed,
  JwtFormatInvalid,
  JwtCriticalHeaderUnsupported,
  JwtHeaderMalformed,
  JwtKidMissing,
} from "../errors/index.ts";
import { decodeBase64Url, isBase64UrlAlphabet } from "../encoding/base64.ts";
import { type JsonObject, parseJsonObject } from "../encoding/json.ts";
import { describeType } from "../encoding/text.ts";
import { maxKidLength } from "../jwks/rsa-jwk.ts";

/**
 * The accepted parameters of a protected header; all others are ignored, above all the keys in `jwk`, `jku` and `x5c`.
 */
export interface AgentIdentityJwtHeader {
  readonly alg: "RS256";
  readonly kid: string;
}

/** A decoded compact JWS whose header is acceptable. Nothing in it has been verified. */
export interface UnverifiedJws {
  readonly header: AgentIdentityJwtHeader;
  /** The header in base64url. */
  readonly headerPart: string;
  /** What the signature covers (RFC 7515 §5.2): header and payload as they were sent. */
  readonly signingInput: string;
  readonly unverifiedClaims: JsonObject;
  /** Null if its base64url is not canonical: a truncated or altered signature is invalid, not malformed. */
  readonly signature: Buffer | null;
}

/** What can be wrong with a JWS before a key is looked up. */
export type JwsShapeError =
  | JwtFormatInvalid
  | JwtHeaderMalformed
  | JwtAlgorithmNotAllowed
  | JwtCriticalHeaderUnsupported
  | JwtKidMissing;

/** Far above any token that the authority mints (about 1.5 KiB), far below what is slow to parse. */
const maxTokenLength = 32_768;

const parseHeader = (segment: string): AgentIdentityJwtHeader | JwsShapeError => {
  const bytes = decodeBase64Url(segment);
  if (bytes === null || bytes.length === 0) {
    return new JwtHeaderMalformed({ problem: "it is not base64url" });
  }
  const header = parseJsonObject(bytes);
  if (typeof header === "string") return new JwtHeaderMalformed({ problem: `it ${header}` });
  const { alg, kid } = header;
  if (alg !== "RS256") {
    const found = typeof alg === "string" && alg !== "" ? alg.slice(0, 64) : describeType(alg);
    return new JwtAlgorithmNotAllowed({ expected: "RS256", found });
  }
  // RFC 7515 §4.1.11: no extension is implemented, so none that is critical is understood; an empty list is illegal.
  if (header["crit"] !== undefined) return new JwtCriticalHeaderUnsupported({ parameter: "crit" });
  if (kid === undefined || kid === "") return new JwtKidMissing();
  if (typeof kid !== "string") {
    return new JwtHeaderMalformed({ problem: `kid must be a string, found ${describeType(kid)}` });
  }
  if (kid.length > maxKidLength) return new JwtHeaderMalformed({ problem: "kid is too long" });
  return { alg, kid };
};

/** Whether `decodeUnverifiedJws` returned an error. */
export const isShapeError = (
  value: UnverifiedJws | AgentIdentityJwtHeader | JwsShapeError,
): value is JwsShapeError => "_tag" in value;

/**
 * Decodes a compact JWS (RFC 7515 §7.1) and checks what needs no key: three base64url parts, an acceptable header, and a
 * payload that is one JSON object without duplicate names, since parsers differ in which of two they use. `knownHeaders`
 * holds headers that were decoded before, by their base64url.
 */
export const decodeUnverifiedJws = (
  token: unknown,
  knownHeaders?: ReadonlyMap<string, AgentIdentityJwtHeader>,
): UnverifiedJws | JwsShapeError => {
  if (typeof token !== "string") {
    return new JwtFormatInvalid({ problem: `it must be a string, found ${describeType(token)}` });
  }
  if (token.length > maxTokenLength) {
    return new JwtFormatInvalid({ problem: `it is longer than ${maxTokenLength} characters` });
  }
  const [headerEnd, payloadEnd] = [token.indexOf("."), token.lastIndexOf(".")];
  if (headerEnd === payloadEnd || token.indexOf(".", headerEnd + 1) !== payloadEnd) {
    return new JwtFormatInvalid({ problem: "it does not have three parts" });
  }
  const headerPart = token.slice(0, headerEnd);
  const signaturePart = token.slice(payloadEnd + 1);
  if (headerPart === "" || signaturePart === "") {
    return new JwtFormatInvalid({ problem: "a part of it is empty" });
  }
  const header = knownHeaders?.get(headerPart) ?? parseHeader(headerPart);
  if (isShapeError(header)) return header;
  const payload = decodeBase64Url(token.slice(headerEnd + 1, payloadEnd));
  const signature = decodeBase64Url(signaturePart);
  if (payload === null || (signature === null && !isBase64UrlAlphabet(signaturePart))) {
    return new JwtFormatInvalid({ problem: "a part of it is not base64url" });
  }
  const unverifiedClaims = parseJsonObject(payload);
  if (typeof unverifiedClaims === "string") {
    return new JwtFormatInvalid({ problem: `its payload ${unverifiedClaims}` });
  }
  const signingInput = token.slice(0, payloadEnd);
  return { header, headerPart, unverifiedClaims, signingInput, signature };
};
