import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";

/** A fresh Ed25519 pair in the forms that the protocol carries. */
export interface AgentKeyPair {
  readonly publicKeyRaw: Uint8Array;
  /** Base64 (standard, padded) of PKCS#8 DER. */
  readonly privateKey: string;
}

const field = (jwk: { readonly [name: string]: unknown }, name: string): Buffer => {
  const value = jwk[name];
  if (typeof value !== "string") throw new TypeError(`an Ed25519 JWK has no ${name}`);
  return Buffer.from(value, "base64url");
};

// RFC 5958 OneAsymmetricKey around an Ed25519 seed (RFC 8410 §7): version 1 has the seed alone, 2 both keys.
const version1 = Buffer.from("302e020100300506032b657004220420", "hex");
const version2 = Buffer.from("3051020101300506032b657004220420", "hex");
const publicKeyTag = Buffer.from("812100", "hex");

export const makeAgentKeyPair = (version: 1 | 2): AgentKeyPair => {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const seed = field(jwk, "d");
  const publicKeyRaw = field(jwk, "x");
  const der =
    version === 1
      ? Buffer.concat([version1, seed])
      : Buffer.concat([version2, seed, publicKeyTag, publicKeyRaw]);
  return { publicKeyRaw: new Uint8Array(publicKeyRaw), privateKey: der.toString("base64") };
};

const toKeyObject = (raw: Uint8Array): KeyObject =>
  createPublicKey({
    format: "jwk",
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(raw).toString("base64url") },
  });

/** Whether `signature` (base64) is this key's over the UTF-8 message. */
export const isSignedBy = (raw: Uint8Array, message: string, signature: string): boolean =>
  verify(null, Buffer.from(message), toKeyObject(raw), Buffer.from(signature, "base64"));

/** The 32 bytes of an `ssh-ed25519` public key line (RFC 8709 §4), or undefined where it is none. */
export const parseSshPublicKey = (line: string): Uint8Array | undefined => {
  const [type, blob] = line.trim().split(/\s+/);
  if (type !== "ssh-ed25519" || blob === undefined) return undefined;
  const bytes = Buffer.from(blob, "base64");
  const prefix = Buffer.from("0000000b7373682d6564323535313900000020", "hex");
  if (bytes.length !== prefix.length + 32 || !bytes.subarray(0, prefix.length).equals(prefix))
    return undefined;
  return new Uint8Array(bytes.subarray(prefix.length));
};
