import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as FiberMap from "effect/FiberMap";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Redacted from "effect/Redacted";
import { isId } from "../encoding/text.ts";
import type { AgentTaskError, BiscuitError } from "../errors/index.ts";
import { HttpTransport } from "../http/index.ts";
import type { AgentKey } from "../keys/index.ts";
import type { AgentIdentityRecord } from "../record/index.ts";
import { registerTask } from "./register-task.ts";

export { registerTask, type RegisterTaskOptions, registrationMessage } from "./register-task.ts";

/** The agent that needs a task, and where the task is registered. */
export interface AgentTaskIdentity {
  /** A `taskId` in it, stored by a sign-in, is used without a registration. */
  readonly record: Pick<AgentIdentityRecord, "agentRuntimeId" | "taskId">;
  readonly key: AgentKey;
  /** Normalised; `taskApiBaseUrl` of `@agent-auth/agent-identity/urls` returns it. */
  readonly taskApiBaseUrl: string;
  /** Run before each registration if the user has an access token; see `mintBiscuit`. */
  readonly biscuit?: Effect.Effect<Redacted.Redacted, BiscuitError, HttpTransport>;
}

/** How many task ids are kept; the longest unused is evicted, and its agent registers again. */
const maxTasks = 1024;

/** Everything that a task depends on: the same agent elsewhere, or with another key, has another task. */
const keyOf = ({ taskApiBaseUrl, record, key }: AgentTaskIdentity): string =>
  JSON.stringify([taskApiBaseUrl, record.agentRuntimeId, key.sshPublicKey]);

const make = Effect.gen(function* () {
  const transport = yield* HttpTransport;
  const inFlight = yield* FiberMap.make<string, string, AgentTaskError>();
  const taskIds = new Map<string, string>();

  const remember = (key: string, taskId: string) => {
    taskIds.delete(key); // to the end of the map: the most recently used
    taskIds.set(key, taskId);
    const [oldest] = taskIds.keys();
    if (taskIds.size > maxTasks && oldest !== undefined) taskIds.delete(oldest);
  };

  const register = Effect.fnUntraced(
    function* (key: string, { biscuit, ...rest }: AgentTaskIdentity) {
      const taskId = yield* registerTask(
        biscuit === undefined ? rest : { ...rest, biscuit: yield* biscuit },
      );
      remember(key, taskId);
      return taskId;
    },
    Effect.provideService(HttpTransport, transport),
  );

  /** The agent's task, unless it is the one that was rejected. */
  const taskOtherThan = (rejectedTaskId: string | undefined, identity: AgentTaskIdentity) =>
    Effect.suspend(() => {
      const key = keyOf(identity);
      const taskId = taskIds.get(key) ?? identity.record.taskId;
      if (isId(taskId) && taskId !== rejectedTaskId) {
        remember(key, taskId);
        return Effect.succeed(taskId);
      }
      // Runs in the layer's scope: it outlives a caller that is interrupted.
      return Option.match(FiberMap.getUnsafe(inFlight, key), {
        onSome: Fiber.join,
        onNone: () =>
          Effect.flatMap(FiberMap.run(inFlight, key, register(key, identity)), Fiber.join),
      });
    });

  return AgentTasks.of({
    task: (identity) => taskOtherThan(undefined, identity),
    replace: (identity, rejectedTaskId) => taskOtherThan(rejectedTaskId, identity),
  });
});

/**
 * Tasks of agents: one registration per identity (task API base, agent runtime id, key) however many callers need it,
 * even if the first of them is interrupted. A failure is reported to all callers that waited and is not remembered. A
 * registration in flight ends with the layer. At most 1024 task ids are kept; the longest unused is evicted.
 *
 * @example
 * ```ts
 * import { HttpTransport } from "@agent-auth/agent-identity/http";
 * import { generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import { AgentTasks } from "@agent-auth/agent-identity/tasks";
 * import * as Effect from "effect/Effect";
 * import * as Layer from "effect/Layer";
 *
 * const response = { status: 200, statusText: "OK", headers: {}, body: '{"task_id":"task-123"}' };
 * const offline = Layer.succeed(HttpTransport, { request: () => Effect.succeed(response) });
 *
 * const program = Effect.gen(function* () {
 *   const tasks = yield* AgentTasks;
 *   const record = { agentRuntimeId: "agent-123" };
 *   const key = yield* generateAgentKey;
 *   return yield* tasks.task({ record, key, taskApiBaseUrl: "https://authority.example" });
 * }).pipe(Effect.provide(Layer.provide(AgentTasks.layer, offline)));
 * await Effect.runPromise(program); // "task-123"
 * ```
 */
export class AgentTasks extends Context.Service<
  AgentTasks,
  {
    /** The identity's task id: the stored one, the registered one, or one that is registered now. */
    readonly task: (identity: AgentTaskIdentity) => Effect.Effect<string, AgentTaskError>;
    /**
     * Returns a task other than the one that a 401 rejected. A caller whose task was already replaced gets the newer
     * one; the others share one registration.
     */
    readonly replace: (
      identity: AgentTaskIdentity,
      rejectedTaskId: string,
    ) => Effect.Effect<string, AgentTaskError>;
  }
>()("@agent-auth/agent-identity/tasks") {
  /** Programs that are built with the same layer share its tasks. */
  static readonly layer: Layer.Layer<AgentTasks, never, HttpTransport> = Layer.effect(
    AgentTasks,
    Effect.suspend(() => make),
  );
}
