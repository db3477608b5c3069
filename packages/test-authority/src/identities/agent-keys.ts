import { generateKeyPairSync } from "node:crypto";

/** A new Ed25519 key pair in the encodings of the protocol. */
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

/** Generates a key pair; the version is that of the private key's PKCS#8 structure. */
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
