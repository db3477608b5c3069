import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import * as Scope from "effect/Scope";
import * as TestClock from "effect/testing/TestClock";
import { AccessTokenUnavailable } from "../src/errors/index.ts";
import { type AgentKey, generateAgentKey, importAgentKey } from "../src/keys/index.ts";
import { AgentTasks, type AgentTaskIdentity } from "../src/tasks/index.ts";
import { answer, json, makeFakeTransport } from "./fake-transport.ts";
import { keyVectors } from "./vectors/index.ts";

const identityWith = (
  key: AgentKey,
  changes: Partial<AgentTaskIdentity> = {},
): AgentTaskIdentity => ({
  record: { agentRuntimeId: "agent-123" },
  key,
  taskApiBaseUrl: "https://authority.test/api",
  ...changes,
});
const importVector = importAgentKey(Redacted.make(keyVectors.agent_private_key));
const task = (identity: AgentTaskIdentity) => AgentTasks.use((tasks) => tasks.task(identity));
const replace = (identity: AgentTaskIdentity, failed: string) =>
  AgentTasks.use((tasks) => tasks.replace(identity, failed));

/** Numbers tasks in the order of their registrations, each of which takes a second. */
const setUp = () => {
  const transport = makeFakeTransport((_, nth) =>
    Effect.delay(Effect.succeed(json({ task_id: `task-${nth}` })), "1 second"),
  );
  const layer = AgentTasks.layer.pipe(Layer.provide(transport.layer));
  return { ...transport, run: Effect.provide(layer) };
};

/** Starts an effect, advances the clock by a second, and waits for the effect. */
const inASecond = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkChild(effect);
  yield* TestClock.adjust("1 second");
  return yield* Fiber.join(fiber);
});
const all = <A, E, R>(count: number, effect: Effect.Effect<A, E, R>) =>
  Effect.all(
    Array.from({ length: count }, () => effect),
    { concurrency: "unbounded" },
  );

describe("AgentTasks.task", () => {
  it.effect("registers once for a thousand concurrent callers and keeps the task", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const identity = identityWith(yield* importVector);
      expect(new Set(yield* inASecond(all(1000, task(identity))))).toEqual(new Set(["task-1"]));
      expect(yield* task(identity)).toBe("task-1");
      expect(tasks.requests).toHaveLength(1);
    }).pipe(tasks.run);
  });

  it.effect("recognises an identity whose record and key are other objects", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      yield* inASecond(task(identityWith(yield* importVector)));
      expect(yield* task(identityWith(yield* importVector))).toBe("task-1");
    }).pipe(tasks.run);
  });

  it.effect("registers separately for another task API, agent runtime or key", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const key = yield* importVector;
      const identities = [
        identityWith(key),
        identityWith(key, { taskApiBaseUrl: "https://other.test" }),
        identityWith(key, { record: { agentRuntimeId: "agent-124" } }),
        identityWith(yield* generateAgentKey),
      ];
      const ids = yield* inASecond(Effect.forEach(identities, task, { concurrency: "unbounded" }));
      expect(new Set(ids).size).toBe(4);
    }).pipe(tasks.run);
  });

  it.effect("uses a stored task without registering", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const record = { agentRuntimeId: "agent-123", taskId: "stored" };
      expect(yield* task(identityWith(yield* importVector, { record }))).toBe("stored");
      expect(tasks.requests).toHaveLength(0);
    }).pipe(tasks.run);
  });

  it.effect("uses a stored task after a registration without one failed", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const identity = identityWith(yield* importVector);
      tasks.behave(() => Effect.succeed(answer(403, "no")));
      yield* Effect.flip(task(identity));
      const record = { agentRuntimeId: "agent-123", taskId: "stored" };
      expect(yield* task({ ...identity, record })).toBe("stored");
      expect(tasks.requests).toHaveLength(1);
    }).pipe(tasks.run);
  });

  it.effect("evicts the longest unused of more than 1,024 tasks", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const key = yield* importVector;
      tasks.behave((_, nth) => Effect.succeed(json({ task_id: `task-${nth}` })));
      const numbered = (nth: number) =>
        identityWith(key, { record: { agentRuntimeId: `agent-${nth}` } });
      for (let nth = 1; nth <= 1024; nth += 1) yield* task(numbered(nth));
      expect(yield* task(numbered(1))).toBe("task-1");
      yield* task(numbered(1025));
      expect(yield* task(numbered(1))).toBe("task-1");
      expect(yield* task(numbered(2))).toBe("task-1026");
    }).pipe(tasks.run);
  });

  it.effect("registers each of 2,000 concurrent identities once", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const key = yield* importVector;
      const numbered = (nth: number) =>
        identityWith(key, { record: { agentRuntimeId: `agent-${nth}` } });
      const identities = Array.from({ length: 1026 }, (_, nth) => numbered(nth));
      const twice = [...identities, numbered(1025)];
      yield* inASecond(Effect.forEach(twice, task, { concurrency: "unbounded" }));
      expect(tasks.requests).toHaveLength(1026);
    }).pipe(tasks.run);
  });

  it.effect("continues the registration when the first caller is interrupted", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const identity = identityWith(yield* importVector);
      const first = yield* Effect.forkChild(task(identity), { startImmediately: true });
      const second = yield* Effect.forkChild(task(identity), { startImmediately: true });
      yield* Fiber.interrupt(first);
      yield* TestClock.adjust("1 second");
      expect(yield* Fiber.join(second)).toBe("task-1");
      expect(tasks.requests).toHaveLength(1);
    }).pipe(tasks.run);
  });

  it.effect("makes no further attempt after its layer is closed", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      tasks.behave(() => Effect.succeed(answer(429, "later", { "retry-after": "30" })));
      const identity = identityWith(yield* importVector);
      const scope = yield* Scope.make();
      const context = yield* Layer.buildWithScope(
        AgentTasks.layer.pipe(Layer.provide(tasks.layer)),
        scope,
      );
      const asked = yield* Effect.forkChild(Effect.provide(task(identity), context));
      yield* TestClock.adjust("1 second");
      yield* Scope.close(scope, Exit.void);
      yield* TestClock.adjust("1 hour");
      expect(Exit.hasInterrupts(yield* Fiber.await(asked))).toBe(true);
      expect(tasks.requests).toHaveLength(1);
    });
  });

  it.effect("shares tasks within one layer and not between two", () => {
    const tasks = setUp();
    const layer = Layer.fresh(AgentTasks.layer.pipe(Layer.provide(tasks.layer)));
    return Effect.gen(function* () {
      const identity = identityWith(yield* generateAgentKey);
      const [first, second] = [yield* Layer.build(layer), yield* Layer.build(layer)];
      expect(yield* inASecond(Effect.provide(task(identity), first))).toBe("task-1");
      expect(yield* Effect.provide(task(identity), first)).toBe("task-1");
      expect(yield* inASecond(Effect.provide(task(identity), second))).toBe("task-2");
    }).pipe(Effect.scoped);
  });

  it.effect("keeps the 1,024 tasks that were used last", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      tasks.behave((_, nth) => Effect.succeed(json({ task_id: `task-${nth}` })));
      const key = yield* importVector;
      const identityOf = (nth: number) =>
        identityWith(key, { record: { agentRuntimeId: `agent-${nth}` } });
      for (let nth = 1; nth <= 1024; nth += 1) yield* task(identityOf(nth));
      expect(yield* task(identityOf(1))).toBe("task-1"); // used again: agent-2 is now the oldest
      expect(yield* task(identityOf(1025))).toBe("task-1025");
      expect(yield* task(identityOf(1))).toBe("task-1");
      expect(yield* task(identityOf(2))).toBe("task-1026");
    }).pipe(tasks.run);
  });

  it.effect("reports a failure to all waiting callers and tries again for the next", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const identity = identityWith(yield* importVector);
      tasks.behave(() => Effect.succeed(answer(401, "no")));
      const errors = yield* all(10, Effect.flip(task(identity)));
      expect(new Set(errors.map(({ code }) => code))).toEqual(
        new Set(["AGENT_IDENTITY_TASK_REGISTRATION_REJECTED"]),
      );
      tasks.behave(() => Effect.succeed(json({ task_id: "task-9" })));
      expect(yield* task(identity)).toBe("task-9");
    }).pipe(tasks.run);
  });

  it.effect("mints a biscuit before each registration and fails if that fails", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const key = yield* importVector;
      const biscuit = Effect.succeed(Redacted.make("biscuit-1"));
      yield* inASecond(task(identityWith(key, { biscuit })));
      const sent = tasks.requests[0]?.headers?.["X-OpenAI-Authorization"];
      expect(Redacted.isRedacted(sent) && Redacted.value(sent)).toBe("biscuit-1");
      const none = identityWith(yield* generateAgentKey, {
        biscuit: Effect.fail(new AccessTokenUnavailable()),
      });
      const error = yield* Effect.flip(task(none));
      expect(error.message).toBe("ChatGPT access token is unavailable");
      expect(tasks.requests).toHaveLength(1);
    }).pipe(tasks.run);
  });
});

describe("AgentTasks.replace", () => {
  it.effect("registers one new task for all callers with the same rejected task", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const identity = identityWith(yield* importVector);
      yield* inASecond(task(identity));
      expect(new Set(yield* inASecond(all(100, replace(identity, "task-1"))))).toEqual(
        new Set(["task-2"]),
      );
      expect(yield* task(identity)).toBe("task-2");
      expect(tasks.requests).toHaveLength(2);
    }).pipe(tasks.run);
  });

  it.effect("returns the newer task to a caller whose task was already replaced", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const identity = identityWith(yield* importVector);
      yield* inASecond(task(identity));
      yield* inASecond(replace(identity, "task-1"));
      expect(yield* replace(identity, "task-1")).toBe("task-2");
      expect(tasks.requests).toHaveLength(2);
    }).pipe(tasks.run);
  });

  it.effect("replaces a stored task that was rejected", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const record = { agentRuntimeId: "agent-123", taskId: "stored" };
      const identity = identityWith(yield* importVector, { record });
      expect(yield* inASecond(replace(identity, "stored"))).toBe("task-1");
      expect(yield* task(identity)).toBe("task-1");
    }).pipe(tasks.run);
  });

  it.effect("keeps the old task if the new registration is rejected", () => {
    const tasks = setUp();
    return Effect.gen(function* () {
      const identity = identityWith(yield* importVector);
      yield* inASecond(task(identity));
      tasks.behave(() => Effect.succeed(answer(403, "no")));
      expect((yield* Effect.flip(replace(identity, "task-1"))).code).toBe(
        "AGENT_IDENTITY_TASK_REGISTRATION_REJECTED",
      );
      expect(yield* task(identity)).toBe("task-1");
    }).pipe(tasks.run);
  });
});
