import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as TestClock from "effect/testing/TestClock";
import * as z from "zod";
import { JwksSource } from "../src/jwks/index.ts";
import { decodeUnverifiedAgentIdentityJwt, verifyAgentIdentityJwt } from "../src/jwt/index.ts";
import { jwtVectors, keyVectors } from "./vectors/index.ts";

const nowMs = Date.UTC(2026, 3, 13, 12, 34, 56, 789);
const source = JwksSource.layerStatic(jwtVectors.jwks);
/** `reason` is more precise than the vectors in one case: they count `nbf` as a claim. */
const reasonOfVectors = (reason: string) => (reason === "notYetValid" ? "claim" : reason);

const Claims = z.object({
  account_id: z.optional(z.string()),
  workspace_id: z.optional(z.string()),
  chatgpt_user_id: z.optional(z.string()),
  email: z.optional(z.string()),
  chatgpt_account_is_fedramp: z.optional(z.boolean()),
  registered_at: z.optional(z.string()),
});

/** The record of a token of the vectors, parsed without the code under test. v1 claims were registered now. */
const saidBy = (jwt: string) => {
  const payload = Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString();
  const claims = Claims.parse(JSON.parse(payload));
  const isFirstDesign = claims.workspace_id !== undefined;
  return {
    accountId: claims.workspace_id ?? claims.account_id,
    chatgptUserId: claims.chatgpt_user_id,
    email: claims.email,
    isFedrampAccount: claims.chatgpt_account_is_fedramp ?? false,
    registeredAt: claims.registered_at ?? (isFirstDesign ? "2026-04-13T12:34:56Z" : undefined),
  };
};

describe("verifyAgentIdentityJwt, RFC 7515 and RFC 7519 golden vectors", () => {
  it.effect.each(jwtVectors.accept)("accepts: $name", (vector) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const verified = yield* verifyAgentIdentityJwt(vector.jwt);
      const { record } = verified;
      expect(verified.issuer).toBe(jwtVectors.issuer);
      expect(verified.audience).toBe(jwtVectors.audience);
      expect(verified.expiresAtMs).toBe(4_000_000_000_000);
      expect(record.agentRuntimeId).toBe("agent-123");
      const { accountId, chatgptUserId, email, isFedrampAccount, registeredAt } = record;
      expect({ accountId, chatgptUserId, email, isFedrampAccount, registeredAt }).toEqual(
        saidBy(vector.jwt),
      );
      expect(Redacted.value(record.privateKey)).toBe(keyVectors.agent_private_key);
      if (vector.plan_type !== undefined) expect(record.planType).toBe(vector.plan_type);
      if (vector.record === undefined) return;
      expect({
        agent_runtime_id: record.agentRuntimeId,
        agent_private_key: Redacted.value(record.privateKey),
        account_id: record.accountId,
        chatgpt_user_id: record.chatgptUserId,
        email: record.email,
        plan_type: record.planType,
        chatgpt_account_is_fedramp: record.isFedrampAccount,
      }).toEqual(vector.record);
    }).pipe(Effect.provide(source)),
  );

  it.effect.each(jwtVectors.reject)("rejects: $name, with the reason $reason", (vector) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(nowMs);
      const error = yield* Effect.flip(verifyAgentIdentityJwt(vector.jwt));
      expect("reason" in error && reasonOfVectors(error.reason)).toBe(vector.reason);
    }).pipe(Effect.provide(source)),
  );
});

describe("decodeUnverifiedAgentIdentityJwt", () => {
  it.effect.each(jwtVectors.accept)("decodes: $name", (vector) =>
    Effect.gen(function* () {
      const read = yield* decodeUnverifiedAgentIdentityJwt(Redacted.make(vector.jwt));
      expect(read.unverifiedRecord.accountId).toBe("account-123");
      expect(read.header.alg).toBe("RS256");
    }),
  );
});
