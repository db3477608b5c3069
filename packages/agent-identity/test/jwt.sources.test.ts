// What keys of a custom JwksSource can do to a verification.
import { type KeyObject, sign, webcrypto } from "node:crypto";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as TestClock from "effect/testing/TestClock";
import { generateKeyPair } from "jose";
import { JwksSource, type TrustedKey } from "../src/jwks/index.ts";
import { verifyAgentIdentityJwt } from "../src/jwt/index.ts";
import { goodClaims, makeSigningKey, mint, nowMs } from "./mint.ts";

const [key, short] = [makeSigningKey("key-1"), makeSigningKey("short", 1024)];

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** An RS256 header with a signature of any hash and key. */
const signedWith = (hash: string, { privateKey }: typeof key): string => {
  const input = `${encode({ alg: "RS256", kid: "key-1" })}.${encode(goodClaims)}`;
  return `${input}.${sign(hash, Buffer.from(input), privateKey).toString("base64url")}`;
};

const imported = (publicKey: KeyObject, hash: string, usages: Array<"verify"> = ["verify"]) =>
  Effect.promise(() =>
    webcrypto.subtle.importKey(
      "spki",
      publicKey.export({ format: "der", type: "spki" }),
      { name: "RSASSA-PKCS1-v1_5", hash },
      false,
      usages,
    ),
  );

const verifyWith = (offered: TrustedKey["key"], jwt: string) =>
  TestClock.setTime(nowMs).pipe(
    Effect.andThen(verifyAgentIdentityJwt(jwt)),
    Effect.provideService(
      JwksSource,
      JwksSource.of({ key: (kid) => Effect.succeed({ kid, key: offered }) }),
    ),
  );

describe("a key of a custom JwksSource", () => {
  it.effect("verifies a token", () =>
    Effect.gen(function* () {
      const offered = yield* imported(key.publicKey, "SHA-256");
      const jwt = yield* Effect.promise(() => mint(key));
      expect(yield* verifyWith(offered, jwt)).toMatchObject({ kid: "key-1" });
    }),
  );

  it.effect.each(["SHA-1", "SHA-512"])("does not verify with %s", (hash) =>
    Effect.gen(function* () {
      const offered = yield* imported(key.publicKey, hash);
      const jwt = signedWith(hash.replace("-", "").toLowerCase(), key);
      expect(yield* Effect.flip(verifyWith(offered, jwt))).toMatchObject({
        code: "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND",
        problem: "its key is not for RS256",
      });
    }),
  );

  it.effect("does not verify under 2048 bits", () =>
    Effect.gen(function* () {
      const offered = yield* imported(short.publicKey, "SHA-256");
      expect(yield* Effect.flip(verifyWith(offered, signedWith("sha256", short)))).toMatchObject({
        code: "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND",
        problem: "its modulus of 1024 bits is shorter than 2048",
      });
    }),
  );

  it.effect.each(["PS256", "ES256", "EdDSA"])("does not verify if it is for %s", (algorithm) =>
    Effect.gen(function* () {
      const { publicKey } = yield* Effect.promise(() => generateKeyPair(algorithm));
      const jwt = yield* Effect.promise(() => mint(key));
      expect(yield* Effect.flip(verifyWith(publicKey, jwt))).toMatchObject({
        problem: "its key is not for RS256",
      });
    }),
  );

  it.effect("does not verify if its usages do not include verify", () =>
    Effect.gen(function* () {
      const jwt = yield* Effect.promise(() => mint(key));
      const unusable = yield* imported(key.publicKey, "SHA-256", []);
      expect(yield* Effect.flip(verifyWith(unusable, jwt))).toMatchObject({
        code: "AGENT_IDENTITY_JWT_SIGNATURE_INVALID",
      });
    }),
  );

  it.effect("does not verify if it is a private key", () =>
    Effect.gen(function* () {
      const jwt = yield* Effect.promise(() => mint(key));
      const { privateKey } = yield* Effect.promise(() => generateKeyPair("RS256"));
      expect(yield* Effect.flip(verifyWith(privateKey, jwt))).toMatchObject({
        code: "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND",
        problem: "its key is not a public key",
      });
    }),
  );
});
