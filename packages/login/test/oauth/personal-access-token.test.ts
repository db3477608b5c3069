import { describe, expect, it } from "@effect/vitest";
import { HttpConfigurationInvalid, HttpTimedOut } from "@agent-auth/agent-identity/errors";
import { type HttpRequest, HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { lookUpPersonalAccessToken } from "../../src/oauth/personal-access-token.ts";

const token = Redacted.make("at-canary");
const whoami = {
  email: "ada@example.com",
  chatgpt_user_id: "user-1",
  chatgpt_account_id: "ws-1",
  chatgpt_plan_type: "HC",
  chatgpt_account_is_fedramp: true,
};

/** Looks the token up at an API that gives this answer. */
const lookUp = (status: number, body: string, requests: Array<HttpRequest> = []) =>
  Effect.provideService(
    lookUpPersonalAccessToken(token, "https://own.example/api/accounts//"),
    HttpTransport,
    {
      request: (request) =>
        Effect.sync(() => {
          requests.push(request);
          return { status, statusText: "", headers: {}, body };
        }),
    },
  );

describe("lookUpPersonalAccessToken", () => {
  it.effect(
    "asks for the account of the token, with a timeout of 10 s, and reads every member",
    () =>
      Effect.gen(function* () {
        const requests: Array<HttpRequest> = [];
        expect(yield* lookUp(200, JSON.stringify(whoami), requests)).toEqual({
          email: "ada@example.com",
          userId: "user-1",
          accountId: "ws-1",
          planType: "enterprise",
          isFedrampAccount: true,
        });
        expect(requests).toMatchObject([
          {
            method: "GET",
            url: "https://own.example/api/accounts/v1/user-auth-credential/whoami",
            timeoutMs: 10_000,
          },
        ]);
        const authorization = requests[0]?.headers?.["authorization"];
        expect(Redacted.isRedacted(authorization) && Redacted.value(authorization)).toBe(
          "Bearer at-canary",
        );
      }),
  );

  it.effect("needs only the account id", () =>
    Effect.gen(function* () {
      const least = { ...whoami, email: null, chatgpt_user_id: undefined };
      const body = JSON.stringify({
        ...least,
        chatgpt_plan_type: null,
        chatgpt_account_is_fedramp: null,
      });
      expect(yield* lookUp(200, body)).toEqual({ accountId: "ws-1", isFedrampAccount: false });
    }),
  );

  it.effect.each([
    [401, "", "personal access token was rejected with status 401"],
    [403, "at-canary", "personal access token was rejected with status 403"],
    [
      500,
      "at-canary",
      "failed to look up personal access token: the accounts API responded with status 500",
    ],
    [
      200,
      "at-canary",
      "failed to look up personal access token: unusable response of the accounts API: it is not JSON",
    ],
    [
      200,
      '{"email":7,"chatgpt_account_id":""}',
      "failed to look up personal access token: unusable response of the accounts API: email, chatgpt_account_id missing or of the wrong type",
    ],
  ] as const)("status %i with %s: %s", ([status, body, message]) =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(lookUp(status, body))).message).toBe(message);
    }),
  );

  it.effect("keeps the hint and the remedy of a request that failed", () =>
    Effect.gen(function* () {
      const failure = new HttpConfigurationInvalid({
        reason: "HTTPS_PROXY: the proxy answered 407",
        hint: "Fix HTTPS_PROXY.",
        remedy: "fixEnvironment",
      });
      const error = yield* Effect.flip(
        Effect.provideService(lookUpPersonalAccessToken(token, "https://x"), HttpTransport, {
          request: () => Effect.fail(failure),
        }),
      );
      expect(error).toMatchObject({
        reason: "HTTPS_PROXY: the proxy answered 407",
        hint: "Fix HTTPS_PROXY.",
        remedy: "fixEnvironment",
      });
    }),
  );

  it.effect("fails with the reason if there is no response", () =>
    Effect.gen(function* () {
      const failure = new HttpTimedOut({ method: "GET", url: "https://x", timeoutMs: 10_000 });
      const error = yield* Effect.flip(
        Effect.provideService(lookUpPersonalAccessToken(token, "https://x"), HttpTransport, {
          request: () => Effect.fail(failure),
        }),
      );
      expect(error).toMatchObject({
        code: "LOGIN_PERSONAL_ACCESS_TOKEN_LOOKUP_FAILED",
        reason: "GET https://x took longer than 10000 ms",
      });
    }),
  );
});
