import { describe, expect, it } from "vitest";
import { isSameAccount, type Account } from "../../src/credential/index.ts";

const account = (stated: Omit<Account, "isFedrampAccount">): Account => ({
  ...stated,
  isFedrampAccount: false,
});

describe("isSameAccount", () => {
  it.each([
    [{ accountId: "a" }, { accountId: "a" }],
    [{ accountId: "a", userId: "u" }, { accountId: "a" }],
    [
      { accountId: "a", email: "old@example.com" },
      { accountId: "a", email: "new@example.com" },
    ],
    [
      { userId: "u", email: "old@example.com" },
      { userId: "u", email: "new@example.com" },
    ],
    [{ email: "u@example.com" }, { email: "u@example.com" }],
    [{}, {}],
  ])("treats %j and %j as the same account", (one, other) => {
    expect(isSameAccount(account(one), account(other))).toBe(true);
    expect(isSameAccount(account(other), account(one))).toBe(true);
  });

  it.each([
    [{ accountId: "a" }, { accountId: "b" }],
    [{ accountId: "a" }, {}],
    [{ accountId: "a", userId: "u" }, { userId: "u" }],
    [
      { accountId: "a", userId: "u" },
      { accountId: "a", userId: "v" },
    ],
    [
      { userId: "u", email: "u@example.com" },
      { userId: "v", email: "u@example.com" },
    ],
    [{ userId: "u" }, { email: "u@example.com" }],
    [{ email: "u@example.com" }, { email: "v@example.com" }],
    [{ email: "u@example.com" }, {}],
  ])("treats %j and %j as different accounts", (one, other) => {
    expect(isSameAccount(account(one), account(other))).toBe(false);
    expect(isSameAccount(account(other), account(one))).toBe(false);
  });
});
