import { describe, expect, it } from "@effect/vitest";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Random from "effect/Random";
import * as Redacted from "effect/Redacted";
import * as TestClock from "effect/testing/TestClock";
import * as z from "zod";
import { HttpInsecureUrl, HttpTimedOut } from "../src/errors/index.ts";
import type { HttpRequest, HttpResponse } from "../src/http/index.ts";
import { type AgentKey, generateAgentKey, importAgentKey } from "../src/keys/index.ts";
import { sealToAgent } from "../src/keys/sealed-box.ts";
import { registerTask } from "../src/tasks/index.ts";
import { answer, json, makeFakeTransport, refusedConnection } from "./fake-transport.ts";
import { nowMs } from "./mint.ts";
import { keyVectors } from "./vectors/index.ts";

const vector = keyVectors.task_registration;
const importVector = importAgentKey(Redacted.make(keyVectors.agent_private_key));
const taskApiBaseUrl = "https://authority.test/api";
const record = { agentRuntimeId: vector.agent_runtime_id };
const biscuit = Redacted.make("canary-biscuit");

const register = (key: AgentKey, withBiscuit = false) =>
  registerTask({ record, key, taskApiBaseUrl, ...(withBiscuit ? { biscuit } : {}) });

/** Registers with one response, at the time of the vectors. */
const registerAgainst = (response: HttpResponse, withBiscuit = false) => {
  const transport = makeFakeTransport(() => Effect.succeed(response));
  const effect = Effect.gen(function* () {
    yield* TestClock.setTime(nowMs + 500);
    return yield* register(yield* importVector, withBiscuit);
  }).pipe(Effect.provide(transport.layer));
  return { effect, requests: transport.requests };
};

const Body = z.object({ timestamp: z.string(), signature: z.string() });
const bodyOf = ({ body }: HttpRequest) =>
  Body.parse(JSON.parse(typeof body === "string" ? body : ""));

/** Runs a registration with an advancing clock and returns when each request was made. */
const whileTimeFlies = (
  key: AgentKey,
  answers: (nth: number) => HttpResponse | "refused" | "late",
) => {
  const times: Array<number> = [];
  const transport = makeFakeTransport((_, nth) =>
    Effect.gen(function* () {
      times.push((yield* Clock.currentTimeMillis) - nowMs);
      const said = answers(nth);
      if (said === "refused") return yield* refusedConnection;
      if (said === "late")
        return yield* new HttpTimedOut({ method: "POST", url: "x", timeoutMs: 1 });
      return said;
    }),
  );
  const run = Effect.gen(function* () {
    yield* TestClock.setTime(nowMs);
    const fiber = yield* Effect.forkChild(Effect.result(register(key)));
    for (let tick = 0; tick < 700; tick += 1) yield* TestClock.adjust(100);
    const outcome = yield* Fiber.join(fiber);
    return { outcome, times };
  }).pipe(Effect.provide(transport.layer));
  return { run, requests: transport.requests };
};

describe("registerTask", () => {
  it.effect("sends the known signature to the agent's URL without a biscuit", () =>
    Effect.gen(function* () {
      const { effect, requests } = registerAgainst(json({ task_id: "task-123" }));
      expect(yield* effect).toBe("task-123");
      expect(requests).toHaveLength(1);
      const [request] = requests;
      expect(request).toMatchObject({
        method: "POST",
        url: "https://authority.test/api/v1/agent/agent-123/task/register",
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify(vector.body),
        timeoutMs: 30_000,
      });
      expect(Object.keys(request?.headers ?? {})).not.toContain("X-OpenAI-Authorization");
    }),
  );

  it.effect("sends a biscuit as a Redacted header", () =>
    Effect.gen(function* () {
      const { effect, requests } = registerAgainst(json({ task_id: "task-123" }), true);
      yield* effect;
      expect(requests[0]?.headers?.["X-OpenAI-Authorization"]).toBe(biscuit);
    }),
  );

  const sealed = keyVectors.sealed_task_id.encrypted_task_id;
  it.effect.each([
    { task_id: "task-123" },
    { taskId: "task-123" },
    { encrypted_task_id: sealed },
    { encryptedTaskId: sealed },
    { task_id: null, encryptedTaskId: sealed, more: 1 },
    { task_id: "task-123", encrypted_task_id: "nonsense" },
  ])("finds the id in %j", (body) =>
    Effect.gen(function* () {
      expect(yield* registerAgainst(json(body)).effect).toBe("task-123");
    }),
  );

  it.effect.each([
    {},
    { task_id: "" },
    { taskId: "  " },
    { encrypted_task_id: "" },
    { task_id: null },
  ])("reports %j as a response without a task id", (body) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(registerAgainst(json(body)).effect);
      expect(error.message).toBe("agent task registration response omitted task id");
    }),
  );

  it.effect.each([
    ["HTML", "<html>"],
    ["empty", ""],
    ["a string", '"task-123"'],
    ["null", "null"],
    ["an object with a number as task id", '{"task_id":7}'],
    ["an object with a line break in the task id", '{"task_id":"task\\n123"}'],
    ["an object with a task id of 5000 characters", JSON.stringify({ taskId: "x".repeat(5000) })],
  ] as const)("rejects a response body that is %s", ([, body]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(registerAgainst(answer(200, body)).effect);
      expect(error.code).toBe("AGENT_IDENTITY_TASK_REGISTRATION_RESPONSE_MALFORMED");
    }),
  );

  it.effect.each([
    keyVectors.bad.sealed_for_another_key,
    "***",
    "AAAA",
    `${sealed.slice(0, -4)}AAA=`,
  ])("cannot decrypt %s", (encrypted_task_id) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(registerAgainst(json({ encrypted_task_id })).effect);
      expect(error.code).toBe("AGENT_IDENTITY_TASK_ID_DECRYPTION_FAILED");
      expect(error.message).toMatch(/^failed to decrypt encrypted task id: /);
    }),
  );

  it.effect("rejects an encrypted id that is not a valid id", () =>
    Effect.gen(function* () {
      const key = yield* importVector;
      const encrypted_task_id = yield* sealToAgent(key.publicKeyRaw, "task\u0000");
      const error = yield* Effect.flip(registerAgainst(json({ encrypted_task_id })).effect);
      expect(error.code).toBe("AGENT_IDENTITY_TASK_REGISTRATION_RESPONSE_MALFORMED");
    }),
  );

  it.effect("quotes 512 characters of an error response on one line without secrets", () =>
    Effect.gen(function* () {
      const body = `line one\r\nline two canary-biscuit \u001b[31m${"ö😀".repeat(600)}`;
      const refused = { ...answer(403, body), statusText: "Forbidden" };
      const { effect, requests } = registerAgainst(refused, true);
      const error = yield* Effect.flip(effect);
      expect(error.message).toMatch(
        /^agent task registration failed with status 403 Forbidden: line one line two <redacted> \[31mö😀/u,
      );
      expect(error).toMatchObject({ status: 403, attempts: 1 });
      expect("body" in error && Array.from(error.body)).toHaveLength(512);
      expect(requests).toHaveLength(1);
    }),
  );

  it.effect("rejects an agent runtime id that is not a path segment without a request", () => {
    const transport = makeFakeTransport(() => Effect.succeed(json({})));
    return Effect.gen(function* () {
      const key = yield* importVector;
      const effect = registerTask({ record: { agentRuntimeId: ".." }, key, taskApiBaseUrl });
      expect((yield* Effect.flip(effect)).code).toBe("AGENT_IDENTITY_PATH_SEGMENT_INVALID");
      expect(transport.requests).toHaveLength(0);
    }).pipe(Effect.provide(transport.layer));
  });
});

describe("registerTask: retries", () => {
  it.effect.each([
    ["status 500", answer(500, "")],
    ["status 503", answer(503, "")],
    ["status 599", answer(599, "")],
    ["status 429", answer(429, "")],
    ["a refused connection", "refused"],
    ["a time-out", "late"],
  ] as const)("after %s makes two retries, after 0.5 to 1 s and 1 to 2 s", ([, bad]) =>
    Effect.gen(function* () {
      const { run } = whileTimeFlies(yield* generateAgentKey, () => bad);
      const { outcome, times } = yield* run;
      expect(outcome).toMatchObject({ _tag: "Failure", failure: { attempts: 3 } });
      const [first = Number.NaN, second = Number.NaN, third = Number.NaN] = times;
      expect(times).toHaveLength(3);
      expect(first).toBe(0);
      expect(second - first).toBeGreaterThanOrEqual(500);
      expect(second - first).toBeLessThanOrEqual(1100);
      expect(third - second).toBeGreaterThanOrEqual(1000);
      expect(third - second).toBeLessThanOrEqual(2100);
    }),
  );

  it.effect.each([
    [0, [0, 500, 1500]],
    [0.8, [0, 900, 2700]],
  ] as const)("spreads the retries: random %d retries at %j", ([drawn, moments]) =>
    Effect.gen(function* () {
      const { run } = whileTimeFlies(yield* generateAgentKey, () => answer(503, ""));
      const random = { nextIntUnsafe: () => 0, nextDoubleUnsafe: () => drawn };
      expect((yield* Effect.provideService(run, Random.Random, random)).times).toEqual(moments);
    }),
  );

  it.effect("signs each attempt again and may succeed", () =>
    Effect.gen(function* () {
      const key = yield* generateAgentKey;
      const { run, requests } = whileTimeFlies(key, (nth) =>
        nth < 3 ? answer(500, "") : json({ task_id: "task-1" }),
      );
      const { outcome } = yield* run;
      expect(outcome).toMatchObject({ _tag: "Success", success: "task-1" });
      const bodies = requests.map(bodyOf);
      expect(new Set(bodies.map(({ timestamp }) => timestamp)).size).toBeGreaterThan(1);
      for (const { timestamp, signature } of bodies)
        expect(signature).toBe(key.sign(`agent-123:${timestamp}`));
    }),
  );

  it.effect.each([
    ["7", 7000],
    [new Date(nowMs + 9000).toUTCString(), 9000],
    ["60", 60_000],
  ] as const)("waits as long as Retry-After: %s says", ([value, waitMs]) =>
    Effect.gen(function* () {
      const { run } = whileTimeFlies(yield* generateAgentKey, (nth) =>
        nth === 1 ? answer(429, "", { "retry-after": value }) : json({ task_id: "task-1" }),
      );
      const { outcome, times } = yield* run;
      expect(outcome._tag).toBe("Success");
      expect(times[1]).toBeGreaterThanOrEqual(waitMs);
      expect(times[1]).toBeLessThanOrEqual(waitMs + 100);
    }),
  );

  it.effect.each(["soon", "-1", "1e3", "", "0"])(
    "uses its own delay if Retry-After is %j",
    (value) =>
      Effect.gen(function* () {
        const { run } = whileTimeFlies(yield* generateAgentKey, (nth) =>
          nth === 1 ? answer(503, "", { "retry-after": value }) : json({ task_id: "task-1" }),
        );
        expect((yield* run).times[1]).toBeLessThanOrEqual(1100);
      }),
  );

  it.effect("does not retry if the server asks for more than a minute", () =>
    Effect.gen(function* () {
      const { run } = whileTimeFlies(yield* generateAgentKey, () =>
        answer(429, "", { "retry-after": "61" }),
      );
      const { outcome, times } = yield* run;
      expect(outcome).toMatchObject({
        failure: { status: 429, attempts: 1, retryAfterMs: 61_000 },
      });
      expect(times).toHaveLength(1);
    }),
  );

  it.effect.each([400, 401, 403, 404, 409, 302])("does not retry after %i", (status) =>
    Effect.gen(function* () {
      const { run } = whileTimeFlies(yield* generateAgentKey, () => answer(status, "no"));
      const { outcome, times } = yield* run;
      expect(outcome).toMatchObject({ failure: { status, attempts: 1 } });
      expect(times).toHaveLength(1);
    }),
  );

  it.effect("does not retry if the transport rejects the URL", () => {
    const refusal = new HttpInsecureUrl({ method: "POST", url: "http://authority.test/" });
    const transport = makeFakeTransport(() => Effect.fail(refusal));
    return Effect.gen(function* () {
      const error = yield* Effect.flip(register(yield* importVector));
      expect(error).toMatchObject({
        _tag: "TaskRegistrationRequestFailed",
        failure: refusal,
        attempts: 1,
      });
      expect(transport.requests).toHaveLength(1);
    }).pipe(Effect.provide(transport.layer));
  });
});
