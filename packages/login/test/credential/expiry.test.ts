import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import {
  dueAfterRefreshMs,
  dueAtMs,
  expiresAtMs,
  isDue,
  isExpired,
} from "../../src/credential/expiry.ts";
import type { Credential } from "../../src/credential/index.ts";

const token = Redacted.make("token");
const account = { isFedrampAccount: false };
const source = { _tag: "File", path: "/home/ada/.codex/auth.json" } as const;
const chatgpt = (times: { readonly expiresAtMs?: number; readonly lastRefreshMs?: number }) =>
  ({
    _tag: "Chatgpt",
    accessToken: token,
    refreshToken: token,
    idToken: token,
    account,
    source,
    ...times,
  }) satisfies Credential;
const agent = (times: { readonly expiresAtMs?: number }): Credential => ({
  _tag: "AgentIdentity",
  form: "jwt",
  record: {
    accountId: "ws-1",
    agentRuntimeId: "agent-1",
    privateKey: token,
    planType: "team",
    registeredAt: "2026-04-13T12:00:00Z",
    isFedrampAccount: false,
  },
  account,
  source,
  signer: { agentRuntimeId: "agent-1", taskId: "task-1", authorizationAt: () => "" },
  ...times,
});

describe("dueAtMs", () => {
  it.each<[string, Credential, number]>([
    [
      "ten minutes before a ChatGPT access token expires",
      chatgpt({ expiresAtMs: 1_000_000 }),
      400_000,
    ],
    ["eight days after the last refresh without exp", chatgpt({ lastRefreshMs: 5 }), 691_200_005],
    ["by exp where both are known", chatgpt({ expiresAtMs: 700_000, lastRefreshMs: 5 }), 100_000],
    ["never for a sign-in that says neither", chatgpt({}), Infinity],
    ["60 s after exp for an agent identity JWT", agent({ expiresAtMs: 1_000_000 }), 1_060_000],
    ["never for a stored agent identity record", agent({}), Infinity],
    [
      "never for external tokens",
      { _tag: "ExternalChatgpt", accessToken: token, account, source, expiresAtMs: 9 },
      Infinity,
    ],
    ["never for an API key", { _tag: "ApiKey", apiKey: token, account, source }, Infinity],
    [
      "never for a personal access token",
      { _tag: "PersonalAccessToken", token, account, source },
      Infinity,
    ],
    ["never for a bearer token", { _tag: "Bearer", token, account, source }, Infinity],
  ])("is %s", (_, credential, expected) => {
    expect(dueAtMs(credential)).toBe(expected);
  });
});

describe("dueAfterRefreshMs", () => {
  const second = 1_000;
  it.each<[string, number, number]>([
    ["ten minutes before expiry, for an hour", 3_600, 3_000],
    ["ten minutes before expiry, for 20 minutes", 1_200, 600],
    ["after half of the life, for 15 minutes", 900, 450],
    ["five and a half minutes before expiry, for 11 minutes", 660, 330],
    ["five and a half minutes before expiry, for 8 minutes", 480, 150],
    ["after 30 s, before Codex's five minutes, for 340 s", 340, 30],
    ["after half of the life, for 330 s", 330, 165],
    ["after half of the life, for two minutes", 120, 60],
    ["after 30 s, for 40 s", 40, 30],
    ["after 30 s, for a token that has expired by a clock that is ahead", -7_200, 30],
  ])("is %s", (_, lifeSeconds, expectedSeconds) => {
    const refreshedAtMs = 5_000_000;
    const credential = chatgpt({ expiresAtMs: refreshedAtMs + lifeSeconds * second });
    expect(dueAfterRefreshMs(credential, refreshedAtMs)).toBe(
      refreshedAtMs + expectedSeconds * second,
    );
  });

  it("is eight days later if the token does not say when it expires", () => {
    expect(dueAfterRefreshMs(chatgpt({ lastRefreshMs: 5 }), 5)).toBe(691_200_005);
  });
});

describe("isDue", () => {
  it.each([
    [399_999, false],
    [400_000, true],
  ])("at %i ms with a due time of 400000 ms answers %s", (nowMs, expected) => {
    expect(isDue(chatgpt({ expiresAtMs: 1_000_000 }), nowMs)).toBe(expected);
  });
});

describe("isExpired", () => {
  it.each([
    [999_999, false],
    [1_000_000, true],
  ])("at %i ms with an exp of 1000000 ms answers %s", (nowMs, expected) => {
    expect(isExpired(chatgpt({ expiresAtMs: 1_000_000 }), nowMs)).toBe(expected);
  });

  it("is false for a credential that does not say when it expires", () => {
    const key: Credential = { _tag: "ApiKey", apiKey: token, account, source };
    expect([isExpired(key, 8e15), expiresAtMs(key)]).toEqual([false, undefined]);
  });
});
