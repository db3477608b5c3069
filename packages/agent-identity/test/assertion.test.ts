import { inspect } from "node:util";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { makeAssertionSigner } from "../src/assertion/index.ts";
import { parseAgentAssertion } from "../src/assertion/verifier.ts";
import { type AgentKey, importAgentKey } from "../src/keys/index.ts";
import { nowMs } from "./mint.ts";
import { keyVectors } from "./vectors/index.ts";

/** A signer that counts its signatures. */
const countingSigner = Effect.gen(function* () {
  const real = yield* importAgentKey(Redacted.make(keyVectors.agent_private_key));
  let signatures = 0;
  const key: AgentKey = {
    publicKeyRaw: real.publicKeyRaw,
    sshPublicKey: real.sshPublicKey,
    sign: (message) => {
      signatures += 1;
      return real.sign(message);
    },
  };
  const signer = makeAssertionSigner({ key, agentRuntimeId: "agent-123", taskId: "task-123" });
  return { signer, count: () => signatures };
});

describe("AssertionSigner.authorizationAt", () => {
  it.effect("signs once per second", () =>
    Effect.gen(function* () {
      const { signer, count } = yield* countingSigner;
      const headers = new Set<string>();
      for (let ms = 0; ms < 1000; ms += 1) headers.add(signer.authorizationAt(nowMs + ms));
      headers.add(signer.authorizationAt(nowMs + 0.5));
      expect([...headers]).toEqual([keyVectors.assertion.authorization]);
      expect(count()).toBe(1);
    }),
  );

  it.effect("signs again when the second changes in either direction", () =>
    Effect.gen(function* () {
      const { signer, count } = yield* countingSigner;
      for (const offset of [0, 999, 1000, 0, -1, -1000, -1001, 0]) {
        const read = yield* parseAgentAssertion(signer.authorizationAt(nowMs + offset));
        expect(read.timestampMs).toBe(Math.floor((nowMs + offset) / 1000) * 1000);
      }
      expect(count()).toBe(6);
    }),
  );

  it.effect.each([
    [0, "1970-01-01T00:00:00Z"],
    [-1, "1969-12-31T23:59:59Z"],
    [Date.UTC(2024, 1, 29, 23, 59, 59, 999), "2024-02-29T23:59:59Z"],
    [253_402_300_799_999, "9999-12-31T23:59:59Z"],
    [-62_167_219_200_000, "0000-01-01T00:00:00Z"],
  ] as const)("formats %i as %s", ([ms, timestamp]) =>
    Effect.gen(function* () {
      const { signer } = yield* countingSigner;
      expect((yield* parseAgentAssertion(signer.authorizationAt(ms))).timestamp).toBe(timestamp);
    }),
  );

  it.effect.each([
    Number.NaN,
    Infinity,
    -Infinity,
    253_402_300_800_000,
    -62_167_219_200_001,
    1e300,
  ])("throws for the time %d and keeps working afterwards", (ms) =>
    Effect.gen(function* () {
      const { signer } = yield* countingSigner;
      signer.authorizationAt(nowMs);
      expect(() => signer.authorizationAt(ms)).toThrow(RangeError);
      expect(() => signer.authorizationAt(ms)).toThrow(RangeError);
      expect(signer.authorizationAt(nowMs)).toBe(keyVectors.assertion.authorization);
    }),
  );

  it.effect("does not print the cached header", () =>
    Effect.gen(function* () {
      const { signer } = yield* countingSigner;
      const header = signer.authorizationAt(nowMs).slice("AgentAssertion ".length);
      const printed = inspect(signer, { depth: 9, showHidden: true }) + JSON.stringify(signer);
      expect(printed).not.toContain(header);
    }),
  );
});
