import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import { accountOf, decodeUnverifiedClaims } from "../../src/oauth/id-token-claims.ts";

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (claims: unknown) =>
  decodeUnverifiedClaims(Redacted.make(`${part({ alg: "RS256" })}.${part(claims)}.c2ln`));
const auth = "https://api.openai.com/auth";

describe("decodeUnverifiedClaims", () => {
  it("returns the account and the expiry", () => {
    const claims = {
      email: "ada@example.test",
      exp: 1_800_000_000,
      [auth]: {
        chatgpt_account_id: "acct-1",
        chatgpt_user_id: "user-1",
        user_id: "user-old",
        chatgpt_plan_type: "HC",
        chatgpt_account_is_fedramp: true,
      },
    };
    expect(decode(claims)).toEqual({
      accountId: "acct-1",
      userId: "user-1",
      email: "ada@example.test",
      planType: "enterprise",
      isFedrampAccount: true,
      expiresAtMs: 1_800_000_000_000,
    });
  });

  it("falls back to the profile's e-mail and to user_id", () => {
    const profile = { email: "ada@example.test" };
    expect(decode({ "https://api.openai.com/profile": profile, [auth]: { user_id: "u" } })).toEqual(
      {
        userId: "u",
        email: "ada@example.test",
        isFedrampAccount: false,
      },
    );
  });

  it.each([
    [{ email: 7, exp: "soon", [auth]: "none", "https://api.openai.com/profile": [] }],
    [{ exp: -1, [auth]: { chatgpt_account_id: "", chatgpt_account_is_fedramp: "yes" } }],
    [{ exp: 1e30 }],
    [{}],
  ])("treats claims of the wrong type as absent: %j", (claims) => {
    expect(decode(claims)).toEqual({ isFedrampAccount: false });
  });

  it.each(["", "a.b", "a..c", "a.b.c", "a.W10.c", `a.${part("text")}.c`, "a.b.c.d", "a.{}.c"])(
    "returns undefined for %j, which is not a JWT",
    (text) => {
      expect(decodeUnverifiedClaims(Redacted.make(text))).toBeUndefined();
    },
  );
});

describe("accountOf", () => {
  it("prefers the stored account id, which requests carry, to the token's", () => {
    const claims = { accountId: "acct-token", isFedrampAccount: false, expiresAtMs: 1 };
    expect(accountOf(claims, "acct-stored")).toEqual({
      accountId: "acct-stored",
      isFedrampAccount: false,
    });
  });
});
