import { describe, expect, it } from "@effect/vitest";
import { HttpTimedOut } from "@agent-auth/agent-identity/errors";
import { type HttpRequest, HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { lookUpPersonalAccessToken } from "../src/oauth/personal-access-token.ts";

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
  it.effect("asks who the token is, with 10 s to answer, and reads all that is told", () =>
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

  it.effect("does with the account alone", () =>
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
      "failed to look up personal access token: the accounts API answered with status 500",
    ],
    [200, "at-canary", "failed to look up personal access token: the answer is not JSON"],
    [
      200,
      '{"email":7,"chatgpt_account_id":""}',
      "failed to look up personal access token: the answer lacks, or has no usable, email, chatgpt_account_id",
    ],
  ] as const)("says of %i %s: %s", ([status, body, message]) =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(lookUp(status, body))).message).toBe(message);
    }),
  );

  it.effect("says that nobody answered", () =>
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
