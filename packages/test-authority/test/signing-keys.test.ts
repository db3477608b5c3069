import { createLocalJWKSet, jwtVerify } from "jose";
import { startTestAuthority } from "@agent-auth/test-authority";
import type { MintAgentIdentityOptions, TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import * as z from "zod";

const Jwks = z.object({
  keys: z.array(z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string() })),
});
const fetchJwks = async (url: string) => Jwks.parse(await (await fetch(url)).json());

const verify = async (authority: TestAuthority, jwt: string) =>
  jwtVerify(
    jwt,
    createLocalJWKSet(await fetchJwks(`${authority.chatgptBaseUrl}/wham/agent-identities/jwks`)),
    {
      issuer: "https://chatgpt.com/codex-backend/agent-identity",
      audience: "codex-app-server",
      algorithms: ["RS256"],
      currentDate: new Date(authority.clock.nowMs()),
    },
  );

describe("mintAgentIdentityJwt", () => {
  it("mints a v2 token that verifies with the published key set", async () => {
    await using authority = await startTestAuthority({ account: { planType: "team" } });
    const agent = await authority.mintAgentIdentity({ agentRuntimeId: "agent-1" });
    const { payload, protectedHeader } = await verify(authority, agent.jwt);
    const now = payload.iat ?? 0;
    expect(protectedHeader.alg).toBe("RS256");
    expect(payload).toEqual({
      iss: "https://chatgpt.com/codex-backend/agent-identity",
      aud: "codex-app-server",
      iat: now,
      exp: now + 3600,
      agent_runtime_id: "agent-1",
      agent_private_key: agent.privateKey,
      account_id: authority.account.accountId,
      chatgpt_user_id: authority.account.userId,
      email: authority.account.email,
      plan_type: "team",
      chatgpt_account_is_fedramp: false,
    });
  });

  it("mints v1 claims on request", async () => {
    await using authority = await startTestAuthority({ now: () => Date.UTC(2026, 3, 13, 12) });
    const { payload } = await verify(
      authority,
      await authority.mintAgentIdentityJwt({ design: "v1" }),
    );
    expect(payload["workspace_id"]).toBe(authority.account.accountId);
    expect(payload["registered_at"]).toBe("2026-04-13T12:00:00Z");
    expect(payload["account_id"]).toBeUndefined();
  });

  it.each<[string, MintAgentIdentityOptions, string]>([
    ["an expired one", { expiresInSeconds: -1 }, "ERR_JWT_EXPIRED"],
    [
      "one from another issuer",
      { issuer: "https://evil.example" },
      "ERR_JWT_CLAIM_VALIDATION_FAILED",
    ],
    ["one for another audience", { audience: "other" }, "ERR_JWT_CLAIM_VALIDATION_FAILED"],
    ["one that is not valid yet", { notBeforeInSeconds: 60 }, "ERR_JWT_CLAIM_VALIDATION_FAILED"],
    ["one by an unknown key", { signature: "unknownKey" }, "ERR_JWKS_NO_MATCHING_KEY"],
    [
      "one of another key with the published kid",
      { signature: "forgedKey" },
      "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
    ],
    ["one by HMAC over the public key", { signature: "hs256" }, "ERR_JOSE_ALG_NOT_ALLOWED"],
    ["one with alg none", { signature: "none" }, "ERR_JOSE_ALG_NOT_ALLOWED"],
    ["one under a kid of the test's choice", { kid: "nobody" }, "ERR_JWKS_NO_MATCHING_KEY"],
  ])("makes exactly the requested part invalid: %s", async (_name, options, code) => {
    await using authority = await startTestAuthority();
    const jwt = await authority.mintAgentIdentityJwt(options);
    await expect(verify(authority, jwt)).rejects.toMatchObject({ code });
  });

  it("leaves out the kid, adds and removes claims", async () => {
    await using authority = await startTestAuthority();
    const jwt = await authority.mintAgentIdentityJwt({
      kid: null,
      claims: { email: undefined, workspace_id: "other" },
    });
    const [header = "", claims = ""] = jwt
      .split(".")
      .map((part) => Buffer.from(part, "base64url").toString());
    expect(JSON.parse(header)).toEqual({ alg: "RS256", typ: "JWT" });
    expect(JSON.parse(claims)).not.toHaveProperty("email");
    expect(JSON.parse(claims)).toMatchObject({ workspace_id: "other" });
  });

  it("uses the given email and plan", async () => {
    await using authority = await startTestAuthority();
    const options = { email: "eve@example.test", planType: "Enterprise" };
    const { payload } = await verify(authority, await authority.mintAgentIdentityJwt(options));
    expect(payload).toMatchObject({ email: options.email, plan_type: options.planType });
  });

  it("carries the private key as PKCS#8 version 2 on request", async () => {
    await using authority = await startTestAuthority();
    const { privateKey } = await authority.mintAgentIdentity({ privateKeyVersion: 2 });
    expect(Buffer.from(privateKey, "base64")).toHaveLength(83);
  });
});

describe("jwks", () => {
  it("is the same under both URL styles", async () => {
    await using authority = await startTestAuthority();
    const expected = await authority.jwks();
    const wham = `${authority.url}/backend-api/wham/agent-identities/jwks`;
    const codex = `${authority.url}/api/codex/agent-identities/jwks`;
    expect(await fetchJwks(wham)).toEqual(expected);
    expect(await fetchJwks(codex)).toEqual(expected);
    expect(authority.count("jwks")).toBe(2);
  });

  it("has a Cache-Control header, and 304 for its entity tag", async () => {
    await using authority = await startTestAuthority();
    const url = `${authority.url}/api/codex/agent-identities/jwks`;
    const first = await fetch(url);
    await first.text();
    expect(first.headers.get("cache-control")).toBe("public, max-age=300");
    const headers = { "if-none-match": first.headers.get("etag") ?? "" };
    expect((await fetch(url, { headers })).status).toBe(304);
    authority.configure({ jwksCacheControl: null });
    expect((await fetch(url)).headers.get("cache-control")).toBeNull();
    await authority.rotateSigningKey();
    expect((await fetch(url, { headers })).status).toBe(200);
  });

  it("keeps the old key after a rotation, or drops it", async () => {
    await using authority = await startTestAuthority();
    const old = await authority.mintAgentIdentityJwt();
    const kept = await authority.rotateSigningKey();
    await expect(verify(authority, old)).resolves.toBeDefined();
    const fresh = await authority.mintAgentIdentityJwt();
    expect((await verify(authority, fresh)).protectedHeader.kid).toBe(kept);
    await authority.rotateSigningKey({ keepOld: false });
    await expect(verify(authority, old)).rejects.toMatchObject({
      code: "ERR_JWKS_NO_MATCHING_KEY",
    });
    expect((await authority.jwks()).keys).toHaveLength(1);
  });

  it("rejects tokens of another authority in the process", async () => {
    await using one = await startTestAuthority();
    await using other = await startTestAuthority();
    const jwt = await other.mintAgentIdentityJwt();
    await expect(verify(one, jwt)).rejects.toMatchObject({ code: "ERR_JWKS_NO_MATCHING_KEY" });
  });
});
