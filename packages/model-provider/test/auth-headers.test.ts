import * as Result from "effect/Result";
import { describe, expect, it } from "vitest";
import { authHeaders } from "../src/signing/headers.ts";
import {
  agent,
  apiKey,
  bearer,
  chatgpt,
  externalChatgpt,
  personalAccessToken,
} from "./support/credentials.ts";

const nowMs = Date.parse("2026-04-13T12:00:00.900Z");
const headersOf = (credential: Parameters<typeof authHeaders>[0]) =>
  Result.getOrThrow(authHeaders(credential, nowMs));

describe("authHeaders", () => {
  it("returns nothing without a credential", () => {
    expect(headersOf(null)).toEqual({});
  });

  it("returns an API key as a bearer token without an account", () => {
    expect(headersOf(apiKey("sk-1"))).toEqual({ Authorization: "Bearer sk-1" });
  });

  it("marks an API key of the government endpoint", () => {
    expect(headersOf(apiKey("sk-svcacct-fedramp-1"))).toEqual({
      Authorization: "Bearer sk-svcacct-fedramp-1",
      "X-OpenAI-Fedramp": "true",
    });
  });

  it("returns a command's token as a bearer token", () => {
    expect(headersOf(bearer("from-command"))).toEqual({ Authorization: "Bearer from-command" });
  });

  it("returns ChatGPT tokens and personal access tokens with their account", () => {
    expect(headersOf(chatgpt("access-1", { accountId: "acc-9" }))).toEqual({
      Authorization: "Bearer access-1",
      "ChatGPT-Account-ID": "acc-9",
    });
    expect(headersOf(personalAccessToken("at-1", "acc-3"))).toEqual({
      Authorization: "Bearer at-1",
      "ChatGPT-Account-ID": "acc-3",
    });
  });

  it("marks FedRAMP accounts", () => {
    expect(headersOf(externalChatgpt("external-1"))).toEqual({
      Authorization: "Bearer external-1",
      "ChatGPT-Account-ID": "acc-2",
      "X-OpenAI-Fedramp": "true",
    });
  });

  it("returns an agent's assertion for this second and its account, never a bearer token", () => {
    expect(headersOf(agent("task-7"))).toEqual({
      Authorization: "AgentAssertion task-7.1776081600",
      "ChatGPT-Account-ID": "workspace-1",
    });
  });

  it("fails if an agent's key cannot sign, without quoting the reason", () => {
    const broken = agent("task-1", () => {
      throw new RangeError("key material abc");
    });
    const result = authHeaders(broken, nowMs);
    expect(Result.isFailure(result) && result.failure).toMatchObject({
      code: "PROVIDER_SIGNING_FAILED",
      reason: "RangeError",
    });
  });

  it.each([
    ["a line break", "sk-1\r\nX-Evil: 1", "controlByte"],
    ["a null byte", "sk-\u0000", "controlByte"],
    ["an accent", "sk-é", "notAscii"],
    ["a snowman", "sk-☃", "notAscii"],
    ["nothing", "", "empty"],
    ["a space at its end", "sk-1 ", "surroundingSpace"],
  ])("refuses a token with %s, and does not quote it", (_what, token, reason) => {
    const result = authHeaders(apiKey(token), nowMs);
    expect(Result.isFailure(result) && result.failure).toMatchObject({
      code: "PROVIDER_HEADER_INVALID",
      header: "Authorization",
      from: "credential",
      reason,
    });
    const told = Result.isFailure(result)
      ? `${result.failure.message}${JSON.stringify(result.failure)}`
      : "";
    expect(told.includes(token)).toBe(token === "");
  });

  it("refuses an account id that is not a legal header value, instead of omitting it", () => {
    const result = authHeaders(chatgpt("access-1", { accountId: "acc\n1" }), nowMs);
    expect(Result.isFailure(result) && result.failure).toMatchObject({
      code: "PROVIDER_HEADER_INVALID",
      header: "ChatGPT-Account-ID",
      reason: "controlByte",
    });
  });
});
