import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { layerOAuthUsers } from "@agent-auth/gateway/authentication";
import { createGateway } from "@agent-auth/gateway/promises";
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from "jose";
import { describe, expect, it } from "vitest";
import { account } from "./support.ts";

const { privateKey, publicKey } = await generateKeyPair("ES256");
const stranger = await generateKeyPair("ES256");
const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "key-1", alg: "ES256" }] };
const issuer = "https://login.example.com";
const audience = "https://models.example.com";

const tokenOf = (
  claims: JWTPayload = {},
  options: { key?: typeof privateKey; kid?: string } = {},
) =>
  new SignJWT({
    iss: issuer,
    aud: audience,
    sub: "ada",
    exp: Math.floor(Date.now() / 1000) + 600,
    scope: "models.read models.write",
    email: "ada@example.test",
    "https://api.openai.com/auth": {
      chatgpt_account_id: "account-1",
      chatgpt_user_id: "user-1",
      chatgpt_plan_type: "pro",
    },
    ...claims,
  })
    .setProtectedHeader({ alg: "ES256", kid: options.kid ?? "key-1" })
    .sign(options.key ?? privateKey);

const reasonOf = async (token: string, more: object = {}) => {
  await using gateway = await createGateway({ users: { issuer, audience, jwks, ...more } });
  const decision = await gateway.decide({ authorization: `Bearer ${token}` });
  return "reason" in decision ? decision.reason : decision.kind;
};

describe("a person's access token", () => {
  it("says who sends the request, for which account and with which scopes", async () => {
    await using gateway = await createGateway({ users: { issuer, audience, jwks } });
    const authorization = `Bearer ${await tokenOf()}`;
    for (let times = 0; times < 2; times += 1)
      expect(await gateway.authenticate({ authorization, accountId: "account-1" })).toEqual({
        kind: "user",
        subject: "ada",
        scopes: ["models.read", "models.write"],
        account,
        expiresAtMs: expect.any(Number),
      });
    expect(await gateway.decide({ authorization, accountId: "account-2" })).toMatchObject({
      reason: "wrong_account_id",
    });
  });

  it.each([
    ["has expired", { exp: 1_700_000_000 }, "token_expired"],
    ["is for another audience", { aud: "other" }, "invalid_token"],
    ["has another issuer", { iss: "https://evil.example" }, "invalid_token"],
    ["has an empty subject", { sub: "" }, "invalid_token"],
    ["is not valid yet", { nbf: 4_000_000_000 }, "invalid_token"],
  ])("is rejected if it %s: %s", async (_name, claims, reason) => {
    expect(await reasonOf(await tokenOf(claims))).toBe(reason);
  });

  it("is rejected if another key signed it, or a key that is not published", async () => {
    expect(await reasonOf(await tokenOf({}, { key: stranger.privateKey }))).toBe("invalid_token");
    expect(await reasonOf(await tokenOf({}, { kid: "key-2" }))).toBe("invalid_token");
    expect(await reasonOf("not.a.jwt")).toBe("invalid_token");
    expect(await reasonOf("opaque")).toBe("invalid_token");
  });

  it("gets 403 without a required scope", async () => {
    const token = await tokenOf();
    expect(await reasonOf(token, { requiredScopes: ["models.read"] })).toBe("user");
    expect(await reasonOf(token, { requiredScopes: ["admin"] })).toBe("not_allowed");
  });
});

const accountOf = ({ tenant, email }: Readonly<Record<string, unknown>>) => {
  if (typeof tenant !== "string") throw new TypeError(`no tenant: ${String(email)}`);
  return { accountId: tenant };
};

describe("accountOf", () => {
  it("says to which account a token belongs", async () => {
    await using gateway = await createGateway({ users: { issuer, audience, jwks, accountOf } });
    const authorization = `Bearer ${await tokenOf({ tenant: "account-7" })}`;
    expect(await gateway.decide({ authorization })).toMatchObject({
      account: { accountId: "account-7" },
    });
  });

  it("leads to 503 if it throws, and its error is not logged", async () => {
    const warnings: Array<string> = [];
    await using gateway = await createGateway({
      users: { issuer, audience, jwks, accountOf },
      onWarning: (line) => void warnings.push(line),
    });
    const decision = await gateway.decide({ authorization: `Bearer ${await tokenOf()}` });
    expect(decision).toMatchObject({ reason: "store_unavailable", status: 503 });
    expect(warnings).toEqual([
      "requests get 503: the users store is unavailable: accountOf threw an error",
    ]);
  });
});

describe("the issuer's key set", () => {
  it("leads to 503 while it cannot be loaded, and to a decision once it can", async () => {
    let isUp = false;
    const server = createServer((_request, response) => {
      response.writeHead(isUp ? 200 : 500).end(JSON.stringify(jwks));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address: AddressInfo | string | null = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const url = `http://127.0.0.1:${port}/jwks`;
    await using gateway = await createGateway({ users: { issuer, audience, jwks: url } });
    const authorization = `Bearer ${await tokenOf()}`;
    expect(await gateway.decide({ authorization })).toMatchObject({ reason: "store_unavailable" });
    isUp = true;
    expect(await gateway.decide({ authorization })).toMatchObject({ kind: "user" });
    server.closeAllConnections();
    server.close();
  });

  it.each([
    ["plain http", "http://login.example.com/jwks"],
    ["a host that only begins like loopback", "http://127.0.0.1.example.com/jwks"],
    ["another scheme", "ftp://localhost/jwks"],
    ["no scheme", "login.example.com/jwks"],
  ])("must have an https URL, or one of loopback: not %s", (_name, url) => {
    expect(() => layerOAuthUsers({ issuer, audience, jwks: url })).toThrowError(
      new TypeError("jwks must be an https URL, or one of a loopback address"),
    );
  });

  it.each(["http://localhost:8080/jwks", "http://127.1.2.3/jwks", "http://[::1]/jwks"])(
    "may have the URL %s",
    (url) => {
      expect(() => layerOAuthUsers({ issuer, audience, jwks: url })).not.toThrow();
    },
  );
});
