import { createPrivateKey } from "node:crypto";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as TestClock from "effect/testing/TestClock";
import { assertionMessage, makeAssertionSigner } from "../src/assertion/index.ts";
import {
  AgentPublicKeys,
  importAgentPublicKey,
  verifyAgentAssertion,
} from "../src/assertion/verifier.ts";
import { exportPkcs8, importAgentKey } from "../src/keys/index.ts";
import {
  sealToAgent,
  unsealWithAgentKey,
  x25519PrivateKey,
  x25519PublicKey,
} from "../src/keys/sealed-box.ts";
import { registrationMessage } from "../src/tasks/index.ts";
import { keyVectors as vectors } from "./vectors/index.ts";

const importVector = importAgentKey(Redacted.make(vectors.agent_private_key));
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

describe("importAgentKey, RFC 8410 and RFC 5958 golden vectors", () => {
  it.effect.each([
    [1, vectors.agent_private_key],
    [2, vectors.agent_private_key_v2],
  ] as const)("imports PKCS#8 version %d as the same key", ([, pkcs8]) =>
    Effect.gen(function* () {
      const key = yield* importAgentKey(Redacted.make(pkcs8));
      expect(base64(key.publicKeyRaw)).toBe(vectors.public_key_raw_base64);
      expect(key.sshPublicKey).toBe(vectors.public_key_ssh);
      expect(Redacted.value(exportPkcs8(key))).toBe(vectors.agent_private_key);
      const der = Buffer.from(Redacted.value(exportPkcs8(key)), "base64");
      const { d } = createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({
        format: "jwk",
      });
      expect(Buffer.from(String(d), "base64url").toString("hex")).toBe(vectors.seed_hex);
    }),
  );

  it.effect.each([
    { pkcs8: vectors.bad.not_base64, problem: "it is not base64" },
    { pkcs8: vectors.bad.not_pkcs8, problem: "it is not a PKCS#8 structure" },
    { pkcs8: vectors.bad.rsa_pkcs8, problem: "it is not an Ed25519 key" },
    {
      pkcs8: vectors.bad.v2_public_key_of_another_seed,
      problem: "its public key belongs to another private key",
    },
  ])("rejects a key: $problem", ({ pkcs8, problem }) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(importAgentKey(Redacted.make(pkcs8)));
      expect(error.problem).toBe(problem);
    }),
  );
});

describe("makeAssertionSigner, RFC 8032 golden vector", () => {
  const { assertion } = vectors;
  const nowMs = Date.parse(assertion.timestamp);

  it.effect("writes the known header, which the verifier accepts", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const key = yield* importVector;
      const signer = makeAssertionSigner({
        key,
        agentRuntimeId: assertion.agent_runtime_id,
        taskId: assertion.task_id,
      });
      const { agent_runtime_id, task_id, timestamp } = assertion;
      const message = assertionMessage(agent_runtime_id, task_id, timestamp);
      expect(message).toBe(assertion.signed_message);
      expect(key.sign(message)).toBe(assertion.signature_base64);
      const header = signer.authorizationAt(nowMs + 999);
      expect(header).toBe(assertion.authorization);
      const envelope = Buffer.from(header.slice("AgentAssertion ".length), "base64url");
      expect(envelope.toString()).toBe(assertion.envelope_json);
      const publicKey = yield* importAgentPublicKey(vectors.public_key_ssh);
      const verified = yield* verifyAgentAssertion(assertion.authorization, {
        isKnownTask: null,
      }).pipe(
        Effect.provideService(AgentPublicKeys, {
          find: (id) =>
            Effect.succeed(
              id === assertion.agent_runtime_id ? Option.some(publicKey) : Option.none(),
            ),
        }),
      );
      expect(verified).toEqual({
        agentRuntimeId: assertion.agent_runtime_id,
        taskId: assertion.task_id,
        timestampMs: nowMs,
      });
    }),
  );

  it.effect("signs a task registration with the known signature", () =>
    Effect.gen(function* () {
      const key = yield* importVector;
      const { agent_runtime_id, timestamp, signed_message, body } = vectors.task_registration;
      expect(registrationMessage(agent_runtime_id, timestamp)).toBe(signed_message);
      expect({ timestamp, signature: key.sign(signed_message) }).toEqual(body);
    }),
  );
});

describe("sealed box, libsodium golden vectors", () => {
  it.effect("derives the known X25519 keys", () =>
    Effect.gen(function* () {
      const key = yield* importVector;
      expect(base64(x25519PublicKey(key))).toBe(vectors.x25519_public_key_base64);
      expect(base64(Redacted.value(x25519PrivateKey(key)))).toBe(vectors.x25519_private_key_base64);
    }),
  );

  it.effect("decrypts a message that libsodium encrypted", () =>
    Effect.gen(function* () {
      const key = yield* importVector;
      const opened = yield* unsealWithAgentKey(key, vectors.sealed_task_id.encrypted_task_id);
      expect(Buffer.from(opened).toString()).toBe(vectors.sealed_task_id.plaintext);
    }),
  );

  it.effect("decrypts its own message", () =>
    Effect.gen(function* () {
      const key = yield* importVector;
      const sealed = yield* sealToAgent(key.publicKeyRaw, "task-äöü");
      expect(Buffer.from(yield* unsealWithAgentKey(key, sealed)).toString()).toBe("task-äöü");
    }),
  );

  it.effect("does not decrypt a message for another key", () =>
    Effect.gen(function* () {
      const key = yield* importVector;
      const error = yield* Effect.flip(unsealWithAgentKey(key, vectors.bad.sealed_for_another_key));
      expect(error.code).toBe("AGENT_IDENTITY_SEALED_BOX_DECRYPTION_FAILED");
    }),
  );
});
