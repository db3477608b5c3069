import { describe, expect, it } from "vitest";
import { toRpcError } from "../src/methods/index.ts";
import { ExternalAuthActive, ServerOverloaded } from "../src/errors/index.ts";
import { clientInfo, connect, experimental } from "./support/connect.ts";
import { openService } from "./support/service.ts";

const initialized = { clientInfo, capabilities: experimental };

describe("what is wrong with a request", () => {
  it.each([
    ["account/read", undefined, "missing field `params`"],
    ["account/read", null, "missing field `params`"],
    ["account/read", 5, "invalid type: integer `5`, expected struct"],
    [
      "account/read",
      { refreshToken: 1.5 },
      "invalid type: floating point `1.5`, expected a boolean",
    ],
    ["account/read", { refreshToken: {} }, "invalid type: map, expected a boolean"],
    ["account/read", { refreshToken: [1] }, "invalid type: sequence, expected a boolean"],
    ["getAuthStatus", { includeToken: "x" }, 'invalid type: string "x", expected a boolean'],
    ["account/login/start", {}, "missing field `type`"],
    ["account/login/start", { type: "apiKey" }, "missing field `apiKey`"],
    [
      "account/login/start",
      { type: "apiKey", apiKey: true },
      "invalid type: boolean `true`, expected a string",
    ],
    [
      "account/login/start",
      { type: "chatgpt", appBrand: "other" },
      "unknown variant `other`, expected `codex` or `chatgpt`",
    ],
    ["account/login/cancel", {}, "missing field `loginId`"],
    ["account/logout", "x", 'invalid type: string "x", expected unit'],
    [
      "account/sendAddCreditsNudgeEmail",
      { creditType: "x" },
      "unknown variant `x`, expected `credits` or `usage_limit`",
    ],
  ])("%s with %j: %s", async (method, params, problem) => {
    const { service } = await openService();
    await expect(connect(service, { initialized }).request(method, params)).rejects.toMatchObject({
      rpcCode: -32600,
      text: `Invalid request: ${problem}`,
    });
  });
});

describe("methods that are refused by name", () => {
  it.each([
    ["account/bedrock/setup", "Amazon Bedrock"],
    ["account/gcp/setup", "Google Cloud"],
    ["remoteControl/status/read", "remote control"],
    ["userVerification/status", "user verification"],
  ])("%s: this server does not implement %s", async (method, area) => {
    const { service } = await openService();
    await expect(connect(service, { initialized }).request(method, {})).rejects.toMatchObject({
      rpcCode: -32600,
      text: `${method} is not supported: this server does not implement ${area}`,
      data: { code: "APP_SERVER_METHOD_NOT_SUPPORTED", remedy: "fixInput" },
    });
  });
});

describe("errors", () => {
  it("have the code of the table, the message, and code, hint and remedy as data", () => {
    expect(toRpcError(new ExternalAuthActive())).toEqual({
      code: -32600,
      message:
        "External auth is active. Use account/login/start (chatgptAuthTokens) to update it or account/logout to clear it.",
      data: {
        code: "APP_SERVER_EXTERNAL_AUTH_ACTIVE",
        hint: "Log out first, or lend other tokens.",
        remedy: "fixInput",
      },
    });
    expect(toRpcError(new ServerOverloaded()).code).toBe(-32001);
  });

  it("say nothing of a cause that no class describes", () => {
    expect(toRpcError(new Error("sk-secret"), "logout failed: ")).toEqual({
      code: -32603,
      message: "logout failed: internal error",
      data: {
        code: "APP_SERVER_INTERNAL_ERROR",
        hint: "See the log of the server for the cause.",
        remedy: "retry",
      },
    });
  });
});

it("an answer that needs no waiting is given at once", async () => {
  const { handleAccountMethods } = await import("../src/methods/index.ts");
  const { service } = await openService();
  await service.startLogin({ type: "apiKey", apiKey: "sk-1" });
  const account = handleAccountMethods(
    service,
    { notify: () => {}, request: () => Promise.reject(new Error("no client")) },
    { initialized },
  );
  await account.request("account/read", {});
  expect(account.request("account/read", {})).toEqual({
    result: {
      account: { type: "apiKey" },
      userId: null,
      requiresOpenaiAuth: true,
      workspaceRouting: null,
    },
  });
});
