import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as TestClock from "effect/testing/TestClock";
import { JwksSource } from "../src/jwks/index.ts";
import { verifyAgentIdentityJwt } from "../src/jwt/index.ts";
import { makeSigningKey, mint, nowMs } from "./mint.ts";
import { keyVectors } from "./vectors/index.ts";

const signingKey = makeSigningKey("key-1");
const pkcs8 = ({ privateKey }: { readonly privateKey: KeyObject }): string =>
  privateKey.export({ format: "der", type: "pkcs8" }).toString("base64");
const truncated = Buffer.from(keyVectors.agent_private_key, "base64").subarray(0, 40);

const verifyWith = Effect.fnUntraced(
  function* (agentPrivateKey: string) {
    yield* TestClock.setTime(nowMs);
    const claims = { agent_private_key: agentPrivateKey };
    const jwt = yield* Effect.promise(() => mint(signingKey, claims));
    return yield* verifyAgentIdentityJwt(jwt);
  },
  Effect.provide(JwksSource.layerStatic({ keys: [signingKey.jwk] })),
);

describe("the private key in a signed token", () => {
  it.effect("is imported by the verification", () =>
    Effect.gen(function* () {
      const { key } = yield* verifyWith(keyVectors.agent_private_key);
      expect(key.sshPublicKey).toBe(keyVectors.public_key_ssh);
    }),
  );

  it.effect.each([
    [
      "an RSA key",
      pkcs8(generateKeyPairSync("rsa", { modulusLength: 2048 })),
      "it is not an Ed25519 key",
    ],
    ["an X25519 key", pkcs8(generateKeyPairSync("x25519")), "it is not an Ed25519 key"],
    [
      "a P-256 key",
      pkcs8(generateKeyPairSync("ec", { namedCurve: "P-256" })),
      "it is not an Ed25519 key",
    ],
    ["an Ed448 key", pkcs8(generateKeyPairSync("ed448")), "it is not an Ed25519 key"],
    ["truncated DER", truncated.toString("base64"), "it is not a PKCS#8 structure"],
    ["text", "not base64!", "it is not base64"],
  ] as const)("must be an Ed25519 PKCS#8 key: %s is rejected", ([, agentPrivateKey, problem]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(verifyWith(agentPrivateKey));
      expect(error).toMatchObject({ code: "AGENT_IDENTITY_KEY_MALFORMED", problem });
    }),
  );
});
