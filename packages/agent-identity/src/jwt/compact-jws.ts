import {
  JwtAlgorithmNotAllowed,
  JwtFormatInvalid,
  JwtCriticalHeaderUnsupported,
  JwtHeaderUndecodable,
  JwtKidMissing,
} from "../errors/index.ts";
import { decodeBase64Url, isBase64UrlAlphabet } from "../encoding/base64.ts";
import { type JsonObject, parseJsonObject } from "./json-object.ts";
import { kindOf } from "../encoding/printable.ts";

/** What we accept of a protected header; everything else in it is ignored, offered keys above all. */
export interface AgentIdentityJwtHeader {
  readonly alg: "RS256";
  readonly kid: string;
}

/** A compact JWS taken apart, its header judged. Nothing in it has been verified. */
export interface UnverifiedJws {
  readonly header: AgentIdentityJwtHeader;
  /** What the signature covers (RFC 7515 §5.2): header and payload as they were sent. */
  readonly signingInput: string;
  readonly unverifiedClaims: JsonObject;
  /** Null where its spelling is not canonical: a cut or retouched signature is a wrong one, not a wrong format. */
  readonly signature: Buffer | null;
}

/** What can be wrong with a token before any key is asked for. */
export type JwsShapeError =
  | JwtFormatInvalid
  | JwtHeaderUndecodable
  | JwtAlgorithmNotAllowed
  | JwtCriticalHeaderUnsupported
  | JwtKidMissing;

/** Far above any token that the authority mints (about 1.5 KiB), far below what costs time to look at. */
const maxTokenLength = 32_768;
const maxKidLength = 1024;

const readHeader = (segment: string): AgentIdentityJwtHeader | JwsShapeError => {
  const bytes = decodeBase64Url(segment);
  if (bytes === null || bytes.length === 0) {
    return new JwtHeaderUndecodable({ problem: "it is not base64url" });
  }
  const header = parseJsonObject(bytes);
  if (typeof header === "string") return new JwtHeaderUndecodable({ problem: `it ${header}` });
  const { alg, kid } = header;
  if (alg !== "RS256") {
    const found = typeof alg === "string" && alg !== "" ? alg.slice(0, 64) : kindOf(alg);
    return new JwtAlgorithmNotAllowed({ expected: "RS256", found });
  }
  // RFC 7515 §4.1.11: we implement no extension, so whatever is critical is not understood; an empty list is illegal.
  if (header["crit"] !== undefined) return new JwtCriticalHeaderUnsupported({ parameter: "crit" });
  if (kid === undefined || kid === "") return new JwtKidMissing();
  if (typeof kid !== "string") {
    return new JwtHeaderUndecodable({ problem: `kid must be a string, found ${kindOf(kid)}` });
  }
  if (kid.length > maxKidLength) return new JwtHeaderUndecodable({ problem: "kid is too long" });
  return { alg, kid };
};

/**
 * An authority writes the same header into all of its tokens, so the last good one is worth keeping: a pure memo. Frozen,
 * since callers share it; the segment copied, since a slice would keep the whole token, private key included, in memory.
 */
let lastSegment = "";
let lastHeader: AgentIdentityJwtHeader | undefined;

const flatCopy = (ascii: string): string => Buffer.from(ascii, "latin1").toString("latin1");

const readHeaderOnce = (segment: string): AgentIdentityJwtHeader | JwsShapeError => {
  if (lastHeader !== undefined && segment === lastSegment) return lastHeader;
  const header = readHeader(segment);
  if (!isError(header)) [lastSegment, lastHeader] = [flatCopy(segment), Object.freeze(header)];
  return header;
};

const isError = (value: object): value is JwsShapeError => "_tag" in value;

/**
 * Takes a compact JWS (RFC 7515 §7.1) apart and judges what needs no key: three base64url parts, a header that is for us,
 * and a payload that is one JSON object in which no name repeats, since parsers differ in which of two they believe.
 */
export const decodeUnverifiedJws = (token: string): UnverifiedJws | JwsShapeError => {
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
  const header = readHeaderOnce(headerPart);
  if (isError(header)) return header;
  const payload = decodeBase64Url(token.slice(headerEnd + 1, payloadEnd));
  const signature = decodeBase64Url(signaturePart);
  if (payload === null || (signature === null && !isBase64UrlAlphabet(signaturePart))) {
    return new JwtFormatInvalid({ problem: "a part of it is not base64url" });
  }
  const unverifiedClaims = parseJsonObject(payload);
  if (typeof unverifiedClaims === "string") {
    return new JwtFormatInvalid({ problem: `its payload ${unverifiedClaims}` });
  }
  return { header, unverifiedClaims, signingInput: token.slice(0, payloadEnd), signature };
};

/** Tells the two answers of `decodeUnverifiedJws` apart. */
export const isShapeError = (value: UnverifiedJws | JwsShapeError): value is JwsShapeError =>
  isError(value);
