import * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type * as Option from "effect/Option";
import type { AgentIdTaken, StoreUnavailable } from "../errors/index.ts";

/** The account that an agent acts for. */
export interface AgentAccount {
  /** The account, or the workspace on a workspace plan. Sent by clients as `ChatGPT-Account-ID`. */
  readonly accountId: string;
  readonly userId?: string;
  readonly email?: string;
  readonly planType?: string;
  readonly isFedramp?: boolean;
}

/** An agent as it is registered. */
export interface RegisteredAgent {
  readonly agentRuntimeId: string;
  /** `ssh-ed25519 <base64>`. */
  readonly publicKey: string;
  readonly account: AgentAccount;
  readonly registeredAtMs: number;
  /** When the agent expires and is no longer known, milliseconds since the epoch. Absent: it does not expire. */
  readonly expiresAtMs?: number;
  /** Set if the agent was revoked. */
  readonly revokedAtMs?: number;
}

/** A task, and the agent that registered it. */
export interface RegisteredTask {
  readonly agentRuntimeId: string;
  readonly taskId: string;
  /** When the task expires and is no longer known, milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

/** An agent and one of its tasks. */
export type TaskName = Pick<RegisteredTask, "agentRuntimeId" | "taskId">;

/** How many of an agent's newest tasks are kept. An agent whose task is dropped registers another after a 401. */
export const defaultMaxTasksPerAgent = 1000;

/**
 * Agents' public keys and tasks. Callers choose the ids, which can be `__proto__`, so implementations must keep them in
 * a `Map` or a database. Expired entries are unknown at once and deleted later, a few with each registration, so no
 * clean-up job is needed.
 *
 * @example
 * ```ts
 * import { AgentRegistry, makeMemoryRegistry } from "@agent-auth/gateway/registry";
 * import * as Layer from "effect/Layer";
 *
 * const layer = Layer.succeed(AgentRegistry, makeMemoryRegistry().service);
 * ```
 */
export class AgentRegistry extends Context.Service<
  AgentRegistry,
  {
    readonly addAgent: (
      agent: RegisteredAgent,
    ) => Effect.Effect<void, AgentIdTaken | StoreUnavailable>;
    /** `None` for an unknown or expired agent; a revoked one has `revokedAtMs`. */
    readonly findAgent: (
      agentRuntimeId: string,
    ) => Effect.Effect<Option.Option<RegisteredAgent>, StoreUnavailable>;
    /** Keeps the newest tasks of each agent and drops the others. */
    readonly addTask: (task: RegisteredTask) => Effect.Effect<void, StoreUnavailable>;
    /** When the task expires; `None` if it is not registered or has expired. */
    readonly findTask: (task: TaskName) => Effect.Effect<Option.Option<number>, StoreUnavailable>;
    /** Returns whether the agent was known and not revoked before. */
    readonly revokeAgent: (agentRuntimeId: string) => Effect.Effect<boolean, StoreUnavailable>;
    /** Revokes all agents of an account. Returns how many there were. */
    readonly revokeAccount: (accountId: string) => Effect.Effect<number, StoreUnavailable>;
    /** Returns whether the task was known. */
    readonly revokeTask: (task: TaskName) => Effect.Effect<boolean, StoreUnavailable>;
  }
>()("@agent-auth/gateway/registry") {}
