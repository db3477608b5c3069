import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { importAgentPublicKey } from "../src/assertion/verifier.ts";
import { keyVectors } from "./vectors/index.ts";

describe("importAgentPublicKey", () => {
  it.effect.each([
    "",
    "ssh-ed25519",
    "ssh-rsa AAAA",
    "ssh-ed25519 ***",
    `${keyVectors.public_key_ssh}AAAA`,
    keyVectors.public_key_ssh.replace("ed25519 AAAAC3", "ed25519 AAAAB3"),
    new Uint8Array(31),
    new Uint8Array(33),
  ])("rejects %s", (key) =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(importAgentPublicKey(key))).code).toBe(
        "AGENT_IDENTITY_PUBLIC_KEY_MALFORMED",
      );
    }),
  );

  it.effect("imports 32 bytes and the SSH format with a comment as the same key", () =>
    Effect.gen(function* () {
      const raw = Buffer.from(keyVectors.public_key_raw_base64, "base64");
      const one = yield* importAgentPublicKey(raw);
      const two = yield* importAgentPublicKey(`${keyVectors.public_key_ssh} someone@somewhere`);
      expect([one.ssh, two.ssh]).toEqual([keyVectors.public_key_ssh, keyVectors.public_key_ssh]);
      expect(Buffer.from(two.raw).equals(raw)).toBe(true);
      expect(
        one.verify(keyVectors.assertion.signed_message, keyVectors.assertion.signature_base64),
      ).toBe(true);
      expect(one.verify("other", keyVectors.assertion.signature_base64)).toBe(false);
    }),
  );

  it.effect("returns copies of its bytes", () =>
    Effect.gen(function* () {
      const raw = Uint8Array.from(Buffer.from(keyVectors.public_key_raw_base64, "base64"));
      const key = yield* importAgentPublicKey(raw);
      raw.fill(0);
      key.raw.fill(0);
      expect(Buffer.from(key.raw).toString("base64")).toBe(keyVectors.public_key_raw_base64);
    }),
  );

  const yZero = "0000000000000000000000000000000000000000000000000000000000000000";
  const yOne = "0100000000000000000000000000000000000000000000000000000000000000";
  const yMinusOne = "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
  const ofOrderEight = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
  it.effect.each([yZero, yOne, yMinusOne, ofOrderEight])(
    "rejects the small-order point %s",
    (hex) =>
      Effect.gen(function* () {
        for (const sign of [0, 0x80]) {
          const raw = Buffer.from(hex, "hex");
          raw[31] = (raw[31] ?? 0) | sign;
          expect(yield* Effect.flip(importAgentPublicKey(raw))).toMatchObject({
            problem: "it is a point of small order",
          });
        }
      }),
  );
});
