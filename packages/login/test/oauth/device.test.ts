import { inspect } from "node:util";
import { assert, describe, it } from "@effect/vitest";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import * as TestClock from "effect/testing/TestClock";
import {
  signInWithDeviceCode,
  type DeviceCodePrompt,
  type DeviceSignInOptions,
} from "../../src/oauth/device.ts";
import { CANARIES, idToken, memoryAuthority, tokens } from "./support/memory-authority.ts";

type MemoryAuthority = ReturnType<typeof memoryAuthority>;

const pending = { status: 403, body: { error: "authorization_pending" } };

const start = Effect.fnUntraced(function* (
  fake: MemoryAuthority,
  options: Partial<DeviceSignInOptions> = {},
) {
  const shown = yield* Deferred.make<DeviceCodePrompt>();
  const signIn = yield* signInWithDeviceCode({
    issuer: fake.issuer,
    clientId: "client-1",
    onCode: (prompt) => Effect.asVoid(Deferred.succeed(shown, prompt)),
    ...options,
  }).pipe(Effect.provide(fake.layer), Effect.forkChild);
  const prompt = yield* Deferred.await(shown);
  return { signIn, prompt };
});

/** The error of a flow that never shows a code. */
const failureBeforeCode = (fake: MemoryAuthority) =>
  signInWithDeviceCode({
    issuer: fake.issuer,
    onCode: () => Effect.die("nothing is to be shown"),
  }).pipe(Effect.provide(fake.layer), Effect.flip);

const failureOf = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<E> =>
  Effect.flip(Fiber.join(fiber)).pipe(Effect.orDie);

const polls = (fake: MemoryAuthority): number =>
  fake.received.filter(({ path }) => path.endsWith("/deviceauth/token")).length;

const assertNoCanary = (value: unknown): void => {
  const text = `${inspect(value, { depth: 9 })} ${JSON.stringify(value)} ${String(value)}`;
  for (const canary of [...Object.values(CANARIES), "dev_1"]) assert.notInclude(text, canary);
};

describe("signInWithDeviceCode", () => {
  it.effect(
    "shows the code, polls, and exchanges the authorization code; no API key is requested",
    () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        yield* TestClock.setTime(1_000_000);
        const { signIn, prompt } = yield* start(fake, { issuer: `${fake.issuer}/` });
        assert.deepStrictEqual(prompt, {
          userCode: "ABCD-1234",
          verificationUrl: `${fake.issuer}/codex/device`,
          expiresAtMs: 1_000_000 + 15 * 60_000,
        });
        const result = yield* Fiber.join(signIn);
        assert.deepStrictEqual(
          [result.idToken, result.accessToken, result.refreshToken].map(Redacted.value),
          [idToken(), CANARIES.access, CANARIES.refresh],
        );
        assert.strictEqual(result.accountId, "ws_allowed");
        assertNoCanary(result);
        assert.notProperty(result, "apiKey");
        const [usercode, poll, code, ...more] = fake.received;
        assert.deepStrictEqual(usercode, {
          path: "/api/accounts/deviceauth/usercode",
          contentType: "application/json",
          body: '{"client_id":"client-1"}',
        });
        assert.deepStrictEqual(poll, {
          path: "/api/accounts/deviceauth/token",
          contentType: "application/json",
          body: '{"device_auth_id":"dev_1","user_code":"ABCD-1234"}',
        });
        assert.deepStrictEqual(
          [...new URLSearchParams(code?.body)],
          [
            ["grant_type", "authorization_code"],
            ["code", CANARIES.code],
            ["redirect_uri", `${fake.issuer}/deviceauth/callback`],
            ["client_id", "client-1"],
            ["code_verifier", "theirs"],
          ],
        );
        assert.deepStrictEqual(more, [], "no API key is requested");
      }),
  );

  it.effect("waits the given interval while the answer is 403 or 404", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["usercode"] = [
        { status: 200, body: { device_auth_id: "dev_1", usercode: "WXYZ", interval: 7 } },
      ];
      fake.answers["poll"]?.unshift(pending, { status: 404, body: "" });
      const { signIn, prompt } = yield* start(fake);
      assert.strictEqual(prompt.userCode, "WXYZ");
      yield* TestClock.adjust("6999 millis");
      assert.strictEqual(polls(fake), 1);
      yield* TestClock.adjust("1 millis");
      assert.strictEqual(polls(fake), 2);
      yield* TestClock.adjust("7 seconds");
      yield* Fiber.join(signIn);
      assert.strictEqual(polls(fake), 3);
    }),
  );

  const intervals: ReadonlyArray<readonly [given: unknown, seconds: number]> = [
    [undefined, 5],
    [0, 5],
    ["0", 5],
    ["3", 3],
    [-1, 5],
    ["soon", 5],
    [null, 5],
    [1e12, 60],
    [1e-9, 1],
    ["0.5", 1],
  ];
  for (const [interval, seconds] of intervals) {
    it.effect(`reads an interval of ${JSON.stringify(interval)} as ${seconds} s`, () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        fake.answers["usercode"] = [
          { status: 200, body: { device_auth_id: "dev_1", user_code: "X", interval } },
        ];
        fake.answers["poll"] = [pending];
        const { signIn } = yield* start(fake);
        yield* TestClock.adjust(seconds * 1000 - 1);
        assert.strictEqual(polls(fake), 1);
        yield* TestClock.adjust(1);
        assert.strictEqual(polls(fake), 2);
        yield* Fiber.interrupt(signIn);
      }),
    );
  }

  it.effect("fails if the code is not entered within 15 minutes", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["poll"] = [pending];
      const { signIn } = yield* start(fake);
      yield* TestClock.adjust("15 minutes");
      const error = yield* failureOf(signIn);
      assert.strictEqual(error.code, "LOGIN_DEVICE_CODE_EXPIRED");
      assert.strictEqual(
        error.message,
        "the device code expired: it was not entered within 15 minutes",
      );
      assert.strictEqual(polls(fake), 15 * 12 + 1, "a last look when time is up");
    }),
  );

  it.effect("rejects a workspace that is not allowed", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["code"] = [tokens("ws_other")];
      const { signIn } = yield* start(fake, { allowedWorkspaceIds: ["ws_1"] });
      assert.deepInclude(yield* failureOf(signIn), {
        code: "LOGIN_WORKSPACE_NOT_ALLOWED",
        found: "ws_other",
      });
    }),
  );

  it.effect("stops polling when it is interrupted", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["poll"] = [pending];
      const { signIn } = yield* start(fake);
      yield* TestClock.adjust("5 seconds");
      yield* Fiber.interrupt(signIn);
      yield* TestClock.adjust("15 minutes");
      assert.strictEqual(polls(fake), 2);
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(signIn)));
    }),
  );
});

describe("signInWithDeviceCode, failures", () => {
  const starts = [
    {
      name: "device codes are not enabled",
      status: 404,
      body: "",
      code: "LOGIN_DEVICE_CODE_NOT_ENABLED",
    },
    {
      name: "the authority fails",
      status: 500,
      body: { error: { code: "oops", message: "later" } },
      code: "LOGIN_DEVICE_CODE_REJECTED",
    },
    {
      name: "the response is not JSON",
      status: 200,
      body: "<html>",
      code: "LOGIN_AUTHORITY_RESPONSE_INVALID",
    },
    {
      name: "there is no user code",
      status: 200,
      body: { device_auth_id: "dev_1" },
      code: "LOGIN_AUTHORITY_RESPONSE_INVALID",
    },
    {
      name: "the user code would move the cursor",
      status: 200,
      body: { device_auth_id: "dev_1", user_code: "\u001b[2J" },
      code: "LOGIN_AUTHORITY_RESPONSE_INVALID",
    },
  ];
  for (const { name, status, body, code } of starts) {
    it.effect(`shows no code if ${name}`, () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        fake.answers["usercode"] = [{ status, body }];
        const error = yield* failureBeforeCode(fake);
        assert.strictEqual(error.code, code);
        assertNoCanary(error);
      }),
    );
  }

  const ends = [
    {
      name: "the person denies",
      status: 400,
      body: { error: "access_denied", error_description: "no dev_1" },
      code: "LOGIN_AUTHORIZATION_DENIED",
    },
    {
      name: "the code expired at the authority",
      status: 400,
      body: { error: { code: "expired_token" } },
      code: "LOGIN_DEVICE_CODE_EXPIRED",
    },
    {
      name: "the error is unknown",
      status: 418,
      body: { code: "teapot" },
      code: "LOGIN_DEVICE_CODE_REJECTED",
    },
    {
      name: "a member of the grant is missing",
      status: 200,
      body: { authorization_code: CANARIES.code },
      code: "LOGIN_AUTHORITY_RESPONSE_INVALID",
    },
  ];
  for (const { name, status, body, code } of ends) {
    it.effect(`fails if ${name}`, () =>
      Effect.gen(function* () {
        const fake = memoryAuthority();
        fake.answers["poll"] = [{ status, body }];
        const { signIn } = yield* start(fake);
        const error = yield* failureOf(signIn);
        assert.strictEqual(error.code, code);
        assertNoCanary(error);
      }),
    );
  }

  it.effect("retries four temporary failures in a row, each after a longer pause", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      const broken = { status: 503, body: "" };
      fake.answers["poll"]?.unshift(broken, broken, { status: 429, body: "" }, broken);
      const { signIn } = yield* start(fake);
      yield* TestClock.adjust("50 seconds");
      yield* Fiber.join(signIn);
      assert.strictEqual(polls(fake), 5);
    }),
  );

  it.effect("fails with the fifth temporary failure in a row", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["poll"] = [{ status: 503, body: "" }];
      const { signIn } = yield* start(fake);
      yield* TestClock.adjust("50 seconds");
      assert.deepInclude(yield* failureOf(signIn), {
        code: "LOGIN_DEVICE_CODE_REJECTED",
        status: 503,
      });
      assert.strictEqual(polls(fake), 5);
    }),
  );

  it.effect("fails at once if there is no network before the code is shown", () =>
    Effect.gen(function* () {
      const fake = memoryAuthority();
      fake.answers["usercode"] = [null];
      const error = yield* failureBeforeCode(fake);
      assert.strictEqual(error.code, "LOGIN_AUTHORITY_UNREACHABLE");
      assert.strictEqual(fake.received.length, 1);
    }),
  );
});
