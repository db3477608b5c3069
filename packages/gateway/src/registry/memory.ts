import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { AgentIdTaken } from "../errors/index.ts";
import {
  type AgentRegistry,
  defaultMaxTasksPerAgent,
  type RegisteredAgent,
  type RegisteredTask,
  type TaskName,
} from "./agent-registry.ts";

/** How many entries are looked at for expiry with each registration. */
const sweepPerCall = 16;

interface Entry {
  agent: RegisteredAgent;
  /** Task id → when it expires, in the order of registration. */
  readonly tasks: Map<string, number>;
}

/** A registry in the memory of this process, with the calls of `AgentRegistry` also without Effect. */
export interface MemoryRegistry {
  readonly service: AgentRegistry["Service"];
  /** Returns whether the id was free. */
  readonly addAgent: (agent: RegisteredAgent) => boolean;
  readonly findAgent: (agentRuntimeId: string, nowMs: number) => RegisteredAgent | undefined;
  readonly addTask: (task: RegisteredTask, nowMs: number) => void;
  readonly findTask: (task: TaskName, nowMs: number) => number | undefined;
  readonly revokeAgent: (agentRuntimeId: string, nowMs: number) => boolean;
  readonly revokeAccount: (accountId: string, nowMs: number) => number;
  /** Removes an agent with its tasks, as if it had never been registered. Returns whether it was known. */
  readonly removeAgent: (agentRuntimeId: string) => boolean;
  readonly revokeTask: (task: TaskName) => boolean;
  /** Removes every task of every agent. */
  readonly revokeAllTasks: () => void;
  /** How many agents and tasks are held, expired ones included. */
  readonly size: () => { readonly agents: number; readonly tasks: number };
}

const isExpired = ({ expiresAtMs }: RegisteredAgent, nowMs: number): boolean =>
  expiresAtMs !== undefined && expiresAtMs <= nowMs;

const now = <A>(use: (nowMs: number) => A) => Effect.map(Clock.currentTimeMillis, use);

const asService = (registry: Omit<MemoryRegistry, "service">): AgentRegistry["Service"] => {
  return {
    addAgent: (agent) =>
      Effect.suspend(() =>
        registry.addAgent(agent)
          ? Effect.void
          : new AgentIdTaken({ agentRuntimeId: agent.agentRuntimeId }),
      ),
    findAgent: (id) => now((nowMs) => Option.fromUndefinedOr(registry.findAgent(id, nowMs))),
    addTask: (task) => now((nowMs) => registry.addTask(task, nowMs)),
    findTask: (task) => now((nowMs) => Option.fromUndefinedOr(registry.findTask(task, nowMs))),
    revokeAgent: (id) => now((nowMs) => registry.revokeAgent(id, nowMs)),
    revokeAccount: (id) => now((nowMs) => registry.revokeAccount(id, nowMs)),
    revokeTask: (task) => Effect.sync(() => registry.revokeTask(task)),
  };
};

/**
 * Creates a registry in memory: for tests, and for a backend of one process whose agents register again after a restart.
 * `maxTasksPerAgent` is the number of newest tasks that are kept for each agent (default 1000).
 *
 * @example
 * ```ts
 * import { makeMemoryRegistry } from "@agent-auth/gateway/registry";
 *
 * const registry = makeMemoryRegistry();
 * registry.findAgent("__proto__", Date.now()); // undefined
 * ```
 */
export const makeMemoryRegistry = (
  options: { readonly maxTasksPerAgent?: number } = {},
): MemoryRegistry => {
  const { maxTasksPerAgent = defaultMaxTasksPerAgent } = options;
  const entries = new Map<string, Entry>();
  let sweeper = entries.entries();

  /** Looks at the next few agents, and removes the expired ones. */
  const sweep = (nowMs: number) => {
    for (let step = 0; step < sweepPerCall; step += 1) {
      const { done, value } = sweeper.next();
      if (done === true) {
        sweeper = entries.entries();
        return;
      }
      if (isExpired(value[1].agent, nowMs)) entries.delete(value[0]);
    }
  };

  const addTask = ({ agentRuntimeId, taskId, expiresAtMs }: RegisteredTask, nowMs: number) => {
    const tasks = entries.get(agentRuntimeId)?.tasks;
    if (tasks === undefined) return;
    tasks.delete(taskId);
    tasks.set(taskId, expiresAtMs);
    let step = 0;
    for (const [id, expiry] of tasks) {
      if (tasks.size > maxTasksPerAgent || expiry <= nowMs) tasks.delete(id);
      else if ((step += 1) > sweepPerCall) break;
    }
  };

  const registry: Omit<MemoryRegistry, "service"> = {
    addAgent: (agent) => {
      sweep(agent.registeredAtMs);
      const known = entries.get(agent.agentRuntimeId);
      if (known !== undefined && !isExpired(known.agent, agent.registeredAtMs)) return false;
      entries.set(agent.agentRuntimeId, { agent, tasks: new Map() });
      return true;
    },
    findAgent: (id, nowMs) => {
      const agent = entries.get(id)?.agent;
      return agent === undefined || isExpired(agent, nowMs) ? undefined : agent;
    },
    addTask,
    findTask: ({ agentRuntimeId, taskId }, nowMs) => {
      const expiresAtMs = entries.get(agentRuntimeId)?.tasks.get(taskId);
      return expiresAtMs === undefined || expiresAtMs <= nowMs ? undefined : expiresAtMs;
    },
    revokeAgent: (id, nowMs) => {
      const entry = entries.get(id);
      if (entry === undefined || entry.agent.revokedAtMs !== undefined) return false;
      entry.agent = { ...entry.agent, revokedAtMs: nowMs };
      entry.tasks.clear();
      return true;
    },
    revokeAccount: (accountId, nowMs) => {
      let revoked = 0;
      for (const [id, { agent }] of entries)
        if (agent.account.accountId === accountId && registry.revokeAgent(id, nowMs)) revoked += 1;
      return revoked;
    },
    removeAgent: (id) => entries.delete(id),
    revokeTask: ({ agentRuntimeId, taskId }) =>
      entries.get(agentRuntimeId)?.tasks.delete(taskId) ?? false,
    revokeAllTasks: () => {
      for (const { tasks } of entries.values()) tasks.clear();
    },
    size: () => ({
      agents: entries.size,
      tasks: [...entries.values()].reduce((sum, { tasks }) => sum + tasks.size, 0),
    }),
  };
  return { ...registry, service: asService(registry) };
};
