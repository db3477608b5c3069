import { AgentRegistry, type RegisteredAgent } from "@agent-auth/gateway/registry";
import { generateAgentKey } from "@agent-auth/agent-identity/promises";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as TestClock from "effect/testing/TestClock";
import { afterAll, describe, expect, it } from "@effect/vitest";
import { account } from "./support.ts";
import { registries, stopServers } from "./stores.ts";

afterAll(stopServers);

const { sshPublicKey: publicKey } = await generateAgentKey();
const agent = (agentRuntimeId: string, more: Partial<RegisteredAgent> = {}): RegisteredAgent => ({
  agentRuntimeId,
  publicKey,
  account,
  registeredAtMs: 0,
  ...more,
});

describe.each(registries)("a registry in $name", ({ isMissing, make }) => {
  const use = (work: (registry: AgentRegistry["Service"]) => Effect.Effect<void, unknown>) =>
    Effect.flatMap(
      Effect.promise(() => make(3)),
      (layer) => Effect.provide(AgentRegistry.use(work), layer),
    );

  it.effect.skipIf(isMissing)("finds the agent that was added, with its account", () =>
    use((registry) =>
      Effect.gen(function* () {
        const added = agent("agent-1", { registeredAtMs: 5000, expiresAtMs: 9_000_000_000_000 });
        yield* registry.addAgent(added);
        expect(yield* registry.findAgent("agent-1")).toEqual(Option.some(added));
        expect(yield* registry.findAgent("agent-2")).toEqual(Option.none());
      }),
    ),
  );

  it.effect.skipIf(isMissing)("treats __proto__, constructor and quotes as ids like others", () =>
    use((registry) =>
      Effect.gen(function* () {
        for (const id of [
          "__proto__",
          "constructor",
          "toString",
          "'; DROP TABLE gateway_agent; --",
        ]) {
          expect(yield* registry.findAgent(id)).toEqual(Option.none());
          expect(yield* registry.findTask({ agentRuntimeId: id, taskId: id })).toEqual(
            Option.none(),
          );
          yield* registry.addAgent(agent(id));
          yield* registry.addTask({ agentRuntimeId: id, taskId: id, expiresAtMs: 1000 });
          expect(yield* registry.findAgent(id)).toEqual(Option.some(agent(id)));
          expect(yield* registry.findTask({ agentRuntimeId: id, taskId: id })).toEqual(
            Option.some(1000),
          );
        }
      }),
    ),
  );

  it.effect.skipIf(isMissing)("refuses an id that is taken, by a revoked agent too", () =>
    use((registry) =>
      Effect.gen(function* () {
        yield* registry.addAgent(agent("agent-1"));
        expect(yield* Effect.flip(registry.addAgent(agent("agent-1")))).toMatchObject({
          code: "GATEWAY_AGENT_ID_TAKEN",
        });
        yield* registry.revokeAgent("agent-1");
        expect(yield* Effect.flip(registry.addAgent(agent("agent-1")))).toMatchObject({
          code: "GATEWAY_AGENT_ID_TAKEN",
        });
      }),
    ),
  );

  it.effect.skipIf(isMissing)(
    "does not know an agent that has expired, and its id is free again",
    () =>
      use((registry) =>
        Effect.gen(function* () {
          yield* registry.addAgent(agent("agent-1", { expiresAtMs: 1000 }));
          yield* TestClock.setTime(999);
          expect(Option.isSome(yield* registry.findAgent("agent-1"))).toBe(true);
          yield* TestClock.setTime(1000);
          expect(yield* registry.findAgent("agent-1")).toEqual(Option.none());
          yield* registry.addAgent(agent("agent-1", { registeredAtMs: 1000 }));
          expect(Option.isSome(yield* registry.findAgent("agent-1"))).toBe(true);
        }),
      ),
  );

  it.effect.skipIf(isMissing)("knows a task until it expires, for its agent only", () =>
    use((registry) =>
      Effect.gen(function* () {
        yield* registry.addAgent(agent("agent-1"));
        yield* registry.addAgent(agent("agent-2"));
        const task = { agentRuntimeId: "agent-1", taskId: "task-1" };
        yield* registry.addTask({ ...task, expiresAtMs: 1000 });
        expect(yield* registry.findTask(task)).toEqual(Option.some(1000));
        expect(yield* registry.findTask({ ...task, agentRuntimeId: "agent-2" })).toEqual(
          Option.none(),
        );
        yield* TestClock.setTime(1000);
        expect(yield* registry.findTask(task)).toEqual(Option.none());
      }),
    ),
  );

  it.effect.skipIf(isMissing)("keeps the newest tasks of an agent, and all of another agent", () =>
    use((registry) =>
      Effect.gen(function* () {
        yield* registry.addAgent(agent("agent-1"));
        yield* registry.addAgent(agent("agent-2"));
        const expiresAtMs = 1_000_000;
        yield* registry.addTask({ agentRuntimeId: "agent-2", taskId: "task-0", expiresAtMs });
        for (let index = 0; index < 5; index += 1) {
          yield* TestClock.setTime(index * 1000);
          yield* registry.addTask({
            agentRuntimeId: "agent-1",
            taskId: `task-${index}`,
            expiresAtMs,
          });
        }
        const known = [];
        for (let index = 0; index < 5; index += 1) {
          const taskId = `task-${index}`;
          known.push(
            Option.isSome(yield* registry.findTask({ agentRuntimeId: "agent-1", taskId })),
          );
        }
        expect(known).toEqual([false, false, true, true, true]);
        expect(
          Option.isSome(yield* registry.findTask({ agentRuntimeId: "agent-2", taskId: "task-0" })),
        ).toBe(true);
      }),
    ),
  );

  it.effect.skipIf(isMissing)("revokes an agent once, with its tasks", () =>
    use((registry) =>
      Effect.gen(function* () {
        yield* registry.addAgent(agent("agent-1"));
        const task = { agentRuntimeId: "agent-1", taskId: "task-1" };
        yield* registry.addTask({ ...task, expiresAtMs: 1_000_000 });
        yield* TestClock.setTime(2000);
        expect(yield* registry.revokeAgent("agent-1")).toBe(true);
        expect(yield* registry.revokeAgent("agent-1")).toBe(false);
        expect(yield* registry.revokeAgent("agent-2")).toBe(false);
        expect(yield* registry.findAgent("agent-1")).toEqual(
          Option.some(agent("agent-1", { revokedAtMs: 2000 })),
        );
        expect(yield* registry.findTask(task)).toEqual(Option.none());
      }),
    ),
  );

  it.effect.skipIf(isMissing)("revokes all agents of an account, and one task", () =>
    use((registry) =>
      Effect.gen(function* () {
        const other = { ...account, accountId: "account-2" };
        yield* registry.addAgent(agent("agent-1"));
        yield* registry.addAgent(agent("agent-2"));
        yield* registry.addAgent(agent("agent-3", { account: other }));
        expect(yield* registry.revokeAccount("account-1")).toBe(2);
        expect(yield* registry.revokeAccount("account-1")).toBe(0);
        expect(yield* registry.findAgent("agent-3")).toEqual(
          Option.some(agent("agent-3", { account: other })),
        );
        const task = { agentRuntimeId: "agent-3", taskId: "task-1" };
        yield* registry.addTask({ ...task, expiresAtMs: 1_000_000 });
        expect(yield* registry.revokeTask(task)).toBe(true);
        expect(yield* registry.revokeTask(task)).toBe(false);
      }),
    ),
  );
});
