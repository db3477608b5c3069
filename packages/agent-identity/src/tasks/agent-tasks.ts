import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type * as Redacted from "effect/Redacted";
import * as Scope from "effect/Scope";
import type { AgentTaskError, BiscuitError } from "../errors/index.ts";
import { HttpTransport } from "../http/index.ts";
import { joinOrStart, type Slot } from "../jwks/single-flight.ts";
import type { AgentKey } from "../keys/index.ts";
import type { AgentIdentityRecord } from "../record/index.ts";
import { registerTask } from "./register-task.ts";

/** Whose task is wanted, and where it is registered. */
export interface AgentTaskIdentity {
  /** A `taskId` in it, stored by a sign-in, is used without registering. */
  readonly record: Pick<AgentIdentityRecord, "agentRuntimeId" | "taskId">;
  readonly key: AgentKey;
  /** Normalised; `taskApiBaseUrl` of `./urls` makes it. */
  readonly taskApiBaseUrl: string;
  /** Run before each registration, where the user has an access token: `mintBiscuit` of `./biscuit`. */
  readonly biscuit?: Effect.Effect<Redacted.Redacted, BiscuitError, HttpTransport>;
}

interface Runtime extends Slot<string, AgentTaskError> {
  taskId: string | undefined;
}

/** Identities of one process are few; a gateway that sees many forgets the longest unused. */
const maxRuntimes = 1024;

/** Everything that changes the answer: the same runtime elsewhere, or under another key, is another one. */
const keyOf = ({ taskApiBaseUrl, record, key }: AgentTaskIdentity): string =>
  JSON.stringify([taskApiBaseUrl, record.agentRuntimeId, key.sshPublicKey]);

type Runtimes = Map<string, Runtime>;

const forgetOldest = (runtimes: Runtimes, wanted: Runtime) => {
  for (const [key, runtime] of runtimes) {
    if (runtimes.size <= maxRuntimes) return;
    if (runtime.flight === undefined && runtime !== wanted) runtimes.delete(key);
  }
};

const runtimeOf = (runtimes: Runtimes, identity: AgentTaskIdentity): Runtime => {
  const key = keyOf(identity);
  const runtime = runtimes.get(key) ?? { taskId: undefined, flight: undefined };
  runtime.taskId ??= identity.record.taskId;
  runtimes.delete(key); // to the young end of the map
  runtimes.set(key, runtime);
  forgetOldest(runtimes, runtime);
  return runtime;
};

const make = Effect.fnUntraced(function* (
  runtimes: Runtimes,
): Effect.fn.Return<AgentTasks["Service"], never, HttpTransport | Scope.Scope> {
  const transport = yield* HttpTransport;
  const scope = yield* Scope.Scope;

  const register = Effect.fnUntraced(
    function* ({ biscuit, ...rest }: AgentTaskIdentity) {
      if (biscuit === undefined) return yield* registerTask(rest);
      return yield* registerTask({ ...rest, biscuit: yield* biscuit });
    },
    Effect.provideService(HttpTransport, transport),
  );

  const registerOnce = (identity: AgentTaskIdentity, runtime: Runtime) => {
    const remembered = Effect.tap(register(identity), (taskId) =>
      Effect.sync(() => {
        runtime.taskId = taskId;
      }),
    );
    return joinOrStart(runtime, remembered, scope);
  };

  /** The runtime's task, unless it is the one that failed. */
  const taskOtherThan = (failedTaskId: string | undefined, identity: AgentTaskIdentity) =>
    Effect.suspend(() => {
      const runtime = runtimeOf(runtimes, identity);
      return runtime.taskId === undefined || runtime.taskId === failedTaskId
        ? registerOnce(identity, runtime)
        : Effect.succeed(runtime.taskId);
    });

  return AgentTasks.of({
    task: (identity) => taskOtherThan(undefined, identity),
    renew: (identity, failedTaskId) => taskOtherThan(failedTaskId, identity),
  });
});

const processRuntimes: Runtimes = new Map();

/**
 * Tasks of agents: one registration for each identity (task API base, runtime id, key), however many callers
 * ask at once, and whether or not the first of them goes away. A failure is told to all who waited and is not
 * remembered. A registration ends with the layer that started it.
 */
export class AgentTasks extends Context.Service<
  AgentTasks,
  {
    /** The identity's task id: the stored one, the registered one, or one that is registered now. */
    readonly task: (identity: AgentTaskIdentity) => Effect.Effect<string, AgentTaskError>;
    /**
     * After a 401: another task than the failed one. Whoever comes with a task that is already superseded gets the
     * newer one at once; the others share one registration.
     */
    readonly renew: (
      identity: AgentTaskIdentity,
      failedTaskId: string,
    ) => Effect.Effect<string, AgentTaskError>;
  }
>()("@agent-auth/agent-identity/tasks") {
  /** Tasks of its own: who shares the layer shares them. */
  static readonly layer: Layer.Layer<AgentTasks, never, HttpTransport> = Layer.effect(
    AgentTasks,
    Effect.suspend(() => make(new Map())),
  );

  /** The tasks of the process: every layer of this kind shares them, whichever transport it registers through. */
  static readonly layerProcess: Layer.Layer<AgentTasks, never, HttpTransport> = Layer.effect(
    AgentTasks,
    Effect.suspend(() => make(processRuntimes)),
  );
}
