import { inspect } from "node:util";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as TestClock from "effect/testing/TestClock";
import { JwksSource } from "../src/jwks/index.ts";
import {
  decodeUnverifiedAgentIdentityJwt,
  verifyAgentIdentityJwt,
  type VerifyJwtOptions,
} from "../src/jwt/index.ts";
import { goodClaims, makeSigningKey, mint, nowMs, nowSeconds, signBytes } from "./mint.ts";

const key = makeSigningKey("key-1");
const source = JwksSource.layerStatic({ keys: [key.jwk] });

const verify = (jwt: string, options?: VerifyJwtOptions) =>
  TestClock.setTime(nowMs).pipe(
    Effect.andThen(verifyAgentIdentityJwt(jwt, options)),
    Effect.provide(source),
  );
const verifyClaims = (claims: Readonly<Record<string, unknown>>, options?: VerifyJwtOptions) =>
  Effect.flatMap(
    Effect.promise(() => mint(key, claims)),
    (jwt) => verify(jwt, options),
  );

describe("verifyAgentIdentityJwt", () => {
  it.effect("returns record, key, kid, issuer, audience and lifetime", () =>
    Effect.gen(function* () {
      const { record, key: agentKey, ...facts } = yield* verifyClaims({});
      expect(agentKey.sshPublicKey).toMatch(/^ssh-ed25519 AAAA/);
      expect(record).toMatchObject({ agentRuntimeId: "agent-123", accountId: "account-123" });
      expect(facts).toEqual({
        kid: "key-1",
        issuer: "https://chatgpt.com/codex-backend/agent-identity",
        audience: "codex-app-server",
        expiresAtMs: nowMs + 3_600_000,
        issuedAtMs: nowMs - 60_000,
      });
    }),
  );

  it.effect("accepts a Redacted token", () =>
    Effect.gen(function* () {
      const jwt = yield* Effect.promise(() => mint(key));
      yield* TestClock.setTime(nowMs);
      const verified = yield* verifyAgentIdentityJwt(Redacted.make(jwt)).pipe(
        Effect.provide(source),
      );
      expect(verified.kid).toBe("key-1");
    }),
  );

  it.effect("accepts a token for less than 60 seconds after exp", () =>
    Effect.gen(function* () {
      expect((yield* verifyClaims({ exp: nowSeconds - 59 })).expiresAtMs).toBe(nowMs - 59_000);
      const error = yield* Effect.flip(verifyClaims({ exp: nowSeconds - 60 }));
      expect(error).toMatchObject({
        code: "AGENT_IDENTITY_JWT_EXPIRED",
        reason: "expired",
        expiresAtMs: nowMs - 60_000,
        nowMs,
      });
    }),
  );

  it.effect("accepts a token from 60 seconds before nbf", () =>
    Effect.gen(function* () {
      yield* verifyClaims({ nbf: nowSeconds + 60 });
      const error = yield* Effect.flip(verifyClaims({ nbf: nowSeconds + 61 }));
      expect(error).toMatchObject({
        code: "AGENT_IDENTITY_JWT_NOT_YET_VALID",
        notBeforeMs: nowMs + 61_000,
        nowMs,
      });
    }),
  );

  it.effect("uses the clock tolerance of its options", () =>
    Effect.gen(function* () {
      yield* verifyClaims({ exp: nowSeconds + 0.001 }, { clockToleranceSeconds: 0 });
      const late = yield* Effect.flip(
        verifyClaims({ exp: nowSeconds }, { clockToleranceSeconds: 0 }),
      );
      expect(late.code).toBe("AGENT_IDENTITY_JWT_EXPIRED");
    }),
  );

  it.effect("uses the issuer and audience of its options instead of the defaults", () =>
    Effect.gen(function* () {
      const own = { issuer: "https://own.example", audience: "own" };
      const verified = yield* verifyClaims({ iss: own.issuer, aud: own.audience }, own);
      expect(verified).toMatchObject(own);
      expect((yield* Effect.flip(verifyClaims({}, own))).code).toBe(
        "AGENT_IDENTITY_JWT_ISSUER_MISMATCH",
      );
    }),
  );

  it.effect("finds the audience in a list", () =>
    Effect.gen(function* () {
      expect((yield* verifyClaims({ aud: ["other", "codex-app-server"] })).audience).toBe(
        "codex-app-server",
      );
    }),
  );

  it.effect.each([
    [{ iss: undefined }, { reason: "issuer", found: null }],
    [
      { iss: ["https://chatgpt.com/codex-backend/agent-identity"] },
      { reason: "issuer", found: null },
    ],
    [{ iss: "https://chatgpt.com/codex-backend/agent-identity/" }, { reason: "issuer" }],
    [{ aud: undefined }, { reason: "audience", found: [] }],
    [{ aud: "CODEX-APP-SERVER" }, { reason: "audience", found: ["CODEX-APP-SERVER"] }],
    [{ aud: [] }, { reason: "audience", found: [] }],
    [{ aud: { 0: "codex-app-server" } }, { reason: "audience", found: [] }],
    [{ exp: undefined }, { reason: "claim", claim: "exp", found: "nothing" }],
    [{ exp: "4000000000" }, { reason: "claim", claim: "exp", found: "a string" }],
    [{ exp: null }, { reason: "claim", claim: "exp", found: "null" }],
    [{ exp: 1e300 }, { reason: "claim", claim: "exp", found: "a number" }],
    [{ nbf: "soon" }, { reason: "claim", claim: "nbf", found: "a string" }],
    [{ iat: true }, { reason: "claim", claim: "iat", found: "a boolean" }],
    [{ account_id: undefined }, { reason: "claim", claim: "account_id" }],
  ] as const)("rejects claims %j", ([claims, expected]) =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(verifyClaims(claims))).toMatchObject(expected);
    }),
  );

  it.effect("checks the signature before issuer, expiry and private key", () =>
    Effect.gen(function* () {
      const other = makeSigningKey("key-1");
      const jwt = yield* Effect.promise(() =>
        mint(other, { exp: 1, iss: "evil", agent_private_key: "x" }),
      );
      expect((yield* Effect.flip(verify(jwt))).code).toBe("AGENT_IDENTITY_JWT_SIGNATURE_INVALID");
    }),
  );

  it.effect("includes neither the token nor its claims in errors", () =>
    Effect.gen(function* () {
      const canary = {
        email: "canary@example.com",
        agent_private_key: "canary-key",
        sub: "canary-sub",
      };
      const bad = [{ iss: "x" }, { aud: "x" }, { exp: 1 }, { nbf: 4e9 }, { account_id: 1 }, {}];
      for (const claims of bad) {
        const jwt = yield* Effect.promise(() => mint(key, { ...canary, ...claims }));
        const cut = claims === bad.at(-1) ? `${jwt.slice(0, -4)}AAAA` : jwt;
        const error = yield* Effect.flip(verify(cut));
        const printed = [
          inspect(error, { depth: 9 }),
          JSON.stringify(error),
          String(error.stack),
        ].join();
        expect(printed).not.toMatch(/canary/);
        for (const part of jwt.split(".")) expect(printed).not.toContain(part);
      }
    }),
  );
});

describe("decodeUnverifiedAgentIdentityJwt", () => {
  it.effect("decodes an expired token with an unknown signature", () =>
    Effect.gen(function* () {
      const jwt = yield* Effect.promise(() =>
        mint(makeSigningKey("x"), { exp: 1, iss: "x", aud: "x" }),
      );
      const read = yield* decodeUnverifiedAgentIdentityJwt(jwt);
      expect(read.header).toEqual({ alg: "RS256", kid: "x" });
      expect(read.expiresAtMs).toBe(1000);
      expect(read.unverifiedRecord.email).toBe(goodClaims.email);
    }),
  );

  it.effect("rejects a token that cannot be verified", () =>
    Effect.gen(function* () {
      const noExp = yield* Effect.promise(() => mint(key, { exp: undefined }));
      expect(yield* Effect.flip(decodeUnverifiedAgentIdentityJwt(noExp))).toMatchObject({
        claim: "exp",
      });
      const notClaims = yield* Effect.promise(() => signBytes(key, '{"exp":1}'));
      expect(yield* Effect.flip(decodeUnverifiedAgentIdentityJwt(notClaims))).toMatchObject({
        claim: "agent_runtime_id",
      });
    }),
  );
});
