import { HttpConnectionFailed, HttpInsecureUrl } from "@agent-auth/agent-identity/errors";
import {
  HttpTransport,
  type HttpRequest,
  type HttpResponse,
} from "@agent-auth/agent-identity/http";
import { describe, expect, it } from "@effect/vitest";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import * as TestClock from "effect/testing/TestClock";
import { spendRefreshToken } from "../../src/oauth/refresh.ts";

type Answer = Partial<HttpResponse> | HttpConnectionFailed | HttpInsecureUrl;

const exchange = { method: "POST", url: "https://authority.example/oauth/token" };
const unreachable = new HttpConnectionFailed({ ...exchange, reason: "ECONNREFUSED" });

/** Answers in turn and notes when it was asked, milliseconds since the start. */
const transport = (answers: ReadonlyArray<Answer>) => {
  const requests: Array<HttpRequest> = [];
  const askedAtMs: Array<number> = [];
  const service = HttpTransport.of({
    request: (request) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
        const answer = answers[requests.push(request) - 1] ?? { status: 599 };
        askedAtMs.push(nowMs);
        return answer instanceof Error
          ? Effect.fail(answer)
          : Effect.succeed({ status: 200, statusText: "", headers: {}, body: "{}", ...answer });
      }),
  });
  return { askedAtMs, requests, service };
};

const spend = (service: HttpTransport["Service"]) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(
      Effect.result(
        spendRefreshToken(
          {
            url: exchange.url,
            clientId: "client-1",
            refreshToken: Redacted.make("rt-1"),
            reason: "forced",
            accountId: "acct-1",
          },
          Effect.succeed,
        ),
      ),
    );
    yield* TestClock.adjust("1 minute");
    return yield* Fiber.join(fiber);
  }).pipe(Effect.provideService(HttpTransport, service));

describe("spendRefreshToken", () => {
  it.effect(
    "sends one JSON request with a timeout of 10 s, and returns the tokens of the response",
    () =>
      Effect.gen(function* () {
        const { requests, service } = transport([
          { body: '{"access_token":"at","id_token":null}' },
        ]);
        const outcome = yield* spend(service);
        expect(outcome).toMatchObject({ _tag: "Success" });
        const tokens = outcome._tag === "Success" ? outcome.success : {};
        expect(Object.keys(tokens)).toEqual(["accessToken"]);
        const [request] = requests;
        expect(request).toMatchObject({ method: "POST", url: exchange.url, timeoutMs: 10_000 });
        const body = request?.body;
        expect(Redacted.isRedacted(body) && Redacted.value(body)).toBe(
          '{"client_id":"client-1","grant_type":"refresh_token","refresh_reason":"forced","refresh_token":"rt-1"}',
        );
      }),
  );

  it.effect("makes three attempts, with growing pauses, if a failure may be temporary", () =>
    Effect.gen(function* () {
      const { askedAtMs, service } = transport([unreachable, { status: 502 }, { status: 500 }]);
      const outcome = yield* spend(service);
      expect(outcome).toMatchObject({
        failure: { code: "LOGIN_REFRESH_FAILED", attempts: 3, status: 500 },
      });
      const [first = 0, second = 0, third = 0] = askedAtMs;
      expect(second - first).toBeGreaterThanOrEqual(200);
      expect(second - first).toBeLessThanOrEqual(300);
      expect(third - second).toBeGreaterThanOrEqual(400);
      expect(third - second).toBeLessThanOrEqual(600);
    }),
  );

  it.effect("waits as long as Retry-After says, in seconds or as a date, up to 5 s", () =>
    Effect.gen(function* () {
      const { askedAtMs, service } = transport([
        { status: 429, headers: { "retry-after": "2" } },
        { status: 503, headers: { "retry-after": "Thu, 01 Jan 1970 00:00:07 GMT" } },
        { body: '{"access_token":"at"}' },
      ]);
      expect(yield* spend(service)).toMatchObject({ _tag: "Success" });
      expect(askedAtMs).toEqual([0, 2_000, 7_000]);
    }),
  );

  it.effect("ends the attempts if Retry-After asks for more than 5 s, and reports the time", () =>
    Effect.gen(function* () {
      const { requests, service } = transport([{ status: 503, headers: { "retry-after": "6" } }]);
      expect(yield* spend(service)).toMatchObject({
        failure: { code: "LOGIN_REFRESH_FAILED", attempts: 1, status: 503, retryAfterMs: 6_000 },
      });
      expect(requests).toHaveLength(1);
    }),
  );

  it.effect.each<[string, Answer]>([
    ["a 400 without a known code", { status: 400, body: '{"error":"invalid_request"}' }],
    ["an answer that is not JSON", { body: "<html>" }],
    ["an answer of the wrong shape", { body: '{"access_token":7}' }],
    ["an empty token", { body: '{"access_token":""}' }],
    ["a URL that nothing may be sent to", new HttpInsecureUrl(exchange)],
    [
      "a 200 whose body broke off",
      new HttpConnectionFailed({ ...exchange, reason: "ECONNRESET", status: 200 }),
    ],
  ])("does not repeat %s", ([, answer]) =>
    Effect.gen(function* () {
      const { requests, service } = transport([answer]);
      expect(yield* spend(service)).toMatchObject({
        failure: { code: "LOGIN_REFRESH_FAILED", attempts: 1 },
      });
      expect(requests).toHaveLength(1);
    }),
  );

  it.effect.each<[string, string, number]>([
    ["expired", '{"error":{"code":"refresh_token_expired"}}', 400],
    ["reused", '{"error":"refresh_token_reused"}', 401],
    ["revoked", '{"code":"refresh_token_invalidated"}', 403],
    ["expired", '{"error":{"code":"REFRESH_TOKEN_EXPIRED"}}', 400],
    ["reused", '{"error":"Refresh_Token_Reused"}', 400],
    ["revoked", '{"code":"REFRESH_token_INVALIDATED"}', 503],
    ["other", "unauthorized", 401],
  ])("is %s for good after %s with status %i", ([reason, body, status]) =>
    Effect.gen(function* () {
      const { requests, service } = transport([{ status, body }]);
      expect(yield* spend(service)).toMatchObject({
        failure: { code: "LOGIN_REFRESH_REJECTED", reason, accountId: "acct-1" },
      });
      expect(requests).toHaveLength(1);
    }),
  );
});
