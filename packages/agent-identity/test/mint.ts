import { generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import { CompactSign } from "jose";
import { defaultAudience, defaultIssuer } from "../src/jwt/index.ts";
import { keyVectors } from "./vectors/index.ts";

/** The time of the tests. */
export const nowMs = Date.UTC(2026, 3, 13, 12);
export const nowSeconds = nowMs / 1000;

/** v2 claims of a token that is valid at `nowMs`. */
export const goodClaims = {
  iss: defaultIssuer,
  aud: defaultAudience,
  iat: nowSeconds - 60,
  exp: nowSeconds + 3600,
  agent_runtime_id: "agent-123",
  agent_private_key: keyVectors.agent_private_key,
  account_id: "account-123",
  chatgpt_user_id: "user-123",
  email: "user@example.com",
  plan_type: "pro",
  chatgpt_account_is_fedramp: false,
};

/** An RSA key with its public JWK. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: Record<string, unknown>;
}

export const makeSigningKey = (kid: string = randomUUID(), modulusLength = 2048): SigningKey => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" };
  return { kid, privateKey, publicKey, jwk };
};

/** Signs any bytes with any header, valid or not. */
export const signBytes = (
  key: SigningKey,
  payload: string | Uint8Array,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> =>
  new CompactSign(Buffer.from(payload))
    .setProtectedHeader({ alg: "RS256", kid: key.kid, typ: "JWT", ...header })
    .sign(key.privateKey);

/** Signs the valid claims, some of them replaced; `undefined` leaves a claim out. */
export const mint = (
  key: SigningKey,
  claims: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> => signBytes(key, JSON.stringify({ ...goodClaims, ...claims }), header);
