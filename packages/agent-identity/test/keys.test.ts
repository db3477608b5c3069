import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { writeSpki } from "../src/keys/ed25519-der.ts";
import { type AgentKey, exportPkcs8, generateAgentKey, importAgentKey } from "../src/keys/index.ts";
import { sealToAgent, unsealWithAgentKey } from "../src/keys/sealed-box.ts";
import { keyVectors } from "./vectors/index.ts";

const importText = (pkcs8: string) => importAgentKey(Redacted.make(pkcs8));
const importHex = (hex: string) => importText(Buffer.from(hex, "hex").toString("base64"));
const seed = keyVectors.seed_hex;
const publicHex = Buffer.from(keyVectors.public_key_raw_base64, "base64").toString("hex");

describe("generateAgentKey", () => {
  it.effect("generates a new key each time that can be exported and imported", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* generateAgentKey, yield* generateAgentKey];
      expect(one.sshPublicKey).not.toBe(two.sshPublicKey);
      const again = yield* importAgentKey(exportPkcs8(one));
      expect(again.sshPublicKey).toBe(one.sshPublicKey);
      expect(again.sign("x")).toBe(one.sign("x"));
    }),
  );

  it.effect("signs UTF-8 as Ed25519 verifiers expect", () =>
    Effect.gen(function* () {
      const key = yield* generateAgentKey;
      const der = writeSpki("ed25519", key.publicKeyRaw);
      const publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
      const signature = Buffer.from(key.sign("grüß"), "base64");
      expect(verify(null, Buffer.from("grüß", "utf8"), publicKey, signature)).toBe(true);
    }),
  );
});

describe("AgentKey", () => {
  it.effect("prints, inspects and serialises without its private key", () =>
    Effect.gen(function* () {
      const key = yield* importText(keyVectors.agent_private_key);
      const exported = exportPkcs8(key);
      const printed = [key, { key }, exported].flatMap((value) => [
        JSON.stringify(value),
        inspect(value, { depth: 9, showHidden: true, getters: true }),
        JSON.stringify({ value }),
      ]);
      const secrets = [
        keyVectors.agent_private_key,
        seed,
        Buffer.from(seed, "hex").toString("base64"),
      ];
      for (const secret of secrets) expect(printed.join("\n")).not.toContain(secret);
      expect(printed.join("\n")).toContain("agent_private_key");
    }),
  );

  it.effect("returns copies of its bytes", () =>
    Effect.gen(function* () {
      const key = yield* importText(keyVectors.agent_private_key);
      key.publicKeyRaw.fill(0);
      expect(Buffer.from(key.publicKeyRaw).toString("hex")).toBe(publicHex);
    }),
  );

  it.effect("is not exported from an object of the same shape", () =>
    Effect.gen(function* () {
      const { sign, publicKeyRaw, sshPublicKey } = yield* generateAgentKey;
      const lookAlike: AgentKey = { sign, publicKeyRaw, sshPublicKey };
      expect(() => exportPkcs8(lookAlike)).toThrow(TypeError);
    }),
  );
});

describe("importAgentKey", () => {
  const algorithm = "300506032b6570";
  const withAttributes = `a00b3009060304050631023000`;
  it.effect.each([
    ["version 1", `302e020100${algorithm}04220420${seed}`],
    [
      "version 2, public key tagged implicitly",
      `3051020101${algorithm}04220420${seed}812100${publicHex}`,
    ],
    [
      "version 2, public key tagged explicitly",
      `3053020101${algorithm}04220420${seed}a123032100${publicHex}`,
    ],
    ["version 2 without a public key", `302e020101${algorithm}04220420${seed}`],
    ["version 1 with attributes", `303b020100${algorithm}04220420${seed}${withAttributes}`],
  ] as const)("imports %s", ([, hex]) =>
    Effect.gen(function* () {
      expect((yield* importHex(hex)).sshPublicKey).toBe(keyVectors.public_key_ssh);
    }),
  );

  it.effect.each([
    ["", "it is not base64"],
    [" ", "it is not base64"],
    [`${keyVectors.agent_private_key}\n`, "it is not base64"],
    [keyVectors.agent_private_key_v2.replaceAll("=", ""), "it is not base64"],
    [Buffer.from(seed, "hex").toString("base64"), "it is not a PKCS#8 structure"],
    ["-----BEGIN PRIVATE KEY-----", "it is not base64"],
  ] as const)("rejects %j: %s", ([pkcs8, problem]) =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(importText(pkcs8))).toMatchObject({ problem });
    }),
  );

  it.effect.each([
    ["a byte too many", `302e020100${algorithm}04220420${seed}00`],
    ["a byte too few", `302e020100${algorithm}04220420${seed.slice(2)}`],
    ["a seed of 31 bytes", `302d020100${algorithm}0421041f${seed.slice(2)}`],
    ["a seed that is not wrapped", `302c020100${algorithm}0420${seed}`],
    ["version 3", `302e020102${algorithm}04220420${seed}`],
    ["version 1 with a public key", `3051020100${algorithm}04220420${seed}812100${publicHex}`],
    [
      "two public keys",
      `3074020101${algorithm}04220420${seed}812100${publicHex}812100${publicHex}`,
    ],
    ["a public key with unused bits", `3051020101${algorithm}04220420${seed}812107${publicHex}`],
    ["an indefinite length", `3080020100${algorithm}04220420${seed}0000`],
    ["a length in the long form", `30812e020100${algorithm}04220420${seed}`],
    ["a set instead of a sequence", `312e020100${algorithm}04220420${seed}`],
  ] as const)("rejects %s", ([, hex]) =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(importHex(hex))).toMatchObject({
        problem: "it is not a PKCS#8 structure",
      });
    }),
  );

  it.effect("reports a key of another algorithm", () =>
    Effect.gen(function* () {
      const pairs = [
        generateKeyPairSync("x25519"),
        generateKeyPairSync("ec", { namedCurve: "P-256" }),
        generateKeyPairSync("ed448"),
      ];
      for (const { privateKey } of pairs) {
        const der = privateKey.export({ format: "der", type: "pkcs8" });
        expect(yield* Effect.flip(importText(der.toString("base64")))).toMatchObject({
          problem: "it is not an Ed25519 key",
        });
      }
    }),
  );

  it.effect("does not include the input in the error", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(importText("canary-secret"));
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("canary");
      expect(error.message).toBe(
        "stored agent identity private key is not valid PKCS#8: it is not base64",
      );
    }),
  );
});

describe("sealed box", () => {
  it.effect.each([0, 8, 10_000])("encrypts and decrypts a message of %d characters", (length) =>
    Effect.gen(function* () {
      const message = "x".repeat(length);
      const key = yield* generateAgentKey;
      const sealed = yield* sealToAgent(key.publicKeyRaw, message);
      expect(Buffer.from(sealed, "base64")).toHaveLength(Buffer.byteLength(message) + 48);
      expect(Buffer.from(yield* unsealWithAgentKey(key, sealed)).toString()).toBe(message);
      expect(yield* sealToAgent(key.publicKeyRaw, message)).not.toBe(sealed);
    }),
  );

  it.effect("fails to decrypt if any byte changed", () =>
    Effect.gen(function* () {
      const key = yield* generateAgentKey;
      const sealed = Buffer.from(yield* sealToAgent(key.publicKeyRaw, "task-123"), "base64");
      for (let at = 0; at < sealed.length; at += 1) {
        const changed = Buffer.from(sealed);
        changed[at] = (changed[at] ?? 0) ^ 1;
        const error = yield* Effect.flip(unsealWithAgentKey(key, changed.toString("base64")));
        expect(error.problem).toBe("it was not sealed to this key");
      }
    }),
  );

  it.effect.each([
    ["***", "it is not base64"],
    ["", "it is too short"],
    [Buffer.alloc(47).toString("base64"), "it is too short"],
    [Buffer.alloc(48).toString("base64"), "it was not sealed to this key"],
    [Buffer.alloc(64, 0xff).toString("base64"), "it was not sealed to this key"],
  ] as const)("does not decrypt %j: %s", ([sealed, problem]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(unsealWithAgentKey(yield* generateAgentKey, sealed));
      expect(error).toMatchObject({ code: "AGENT_IDENTITY_SEALED_BOX_DECRYPTION_FAILED", problem });
    }),
  );

  it.effect.each([
    ["all zeros", new Uint8Array(32)],
    ["31 bytes long", new Uint8Array(31)],
    ["not on the curve", new Uint8Array(32).fill(0xff)],
  ] as const)("does not encrypt to a key that is %s", ([, publicKey]) =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(sealToAgent(publicKey, "x"))).code).toBe(
        "AGENT_IDENTITY_PUBLIC_KEY_MALFORMED",
      );
    }),
  );
});
