import { HttpTransport } from "@agent-auth/agent-identity/http";
import { AgentTasks, registerTask, type AgentTaskIdentity } from "@agent-auth/agent-identity/tasks";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import { changeStored } from "../../manager/change-stored.ts";
import { AuthManager } from "../../manager/index.ts";
import { CredentialStore } from "../../storage/index.ts";
import { type LoginError } from "../../errors/index.ts";
import { HomeLock } from "../../storage/lock/index.ts";
import { currentAgent, withTask, type Agent } from "./agent.ts";
import type {
  RegistrationDeps,
  IdentityRegistrationOptions,
  IdentityRegistrationShape,
  Requesting,
} from "./deps.ts";
import { readIdentity, withBackgroundTask } from "./stored-identity.ts";

type Needs = AuthManager | CredentialStore | HomeLock | HttpTransport | Scope.Scope;

/** Builds the service `IdentityRegistration`. */
export const makeIdentityRegistration = Effect.fnUntraced(function* (
  options: IdentityRegistrationOptions,
): Effect.fn.Return<IdentityRegistrationShape, never, Needs> {
  const deps: RegistrationDeps = {
    options,
    manager: yield* AuthManager,
    store: yield* CredentialStore,
    lock: yield* HomeLock,
  };
  const transport = yield* HttpTransport;
  const tasks = Context.get(yield* Layer.build(AgentTasks.layer), AgentTasks);
  const remembered = new Map<string, string>();
  const turn = Semaphore.makeUnsafe(1);
  const inTurn = <A>(effect: Requesting<A>): Effect.Effect<A, LoginError> =>
    turn.withPermit(Effect.provideService(effect, HttpTransport, transport));

  const withTaskOf = (taskOf: (agent: Agent) => Requesting<string>) =>
    inTurn(
      Effect.gen(function* () {
        const agent = yield* currentAgent(deps);
        if (agent === undefined) return Option.none();
        return Option.some(withTask(agent, yield* taskOf(agent)));
      }),
    );

  const registered = withTaskOf((agent) => tasks.task(agent.identity));
  return {
    // The manager has registered the task of an agent identity already.
    identity: Effect.flatMap(deps.manager.current, (current) =>
      Option.isSome(current) && current.value._tag === "AgentIdentity"
        ? Effect.succeedSome(current.value)
        : registered,
    ),
    backgroundIdentity: ({ rejectedTaskId } = {}) =>
      withTaskOf((agent) => backgroundTask(deps, remembered, agent, rejectedTaskId)),
  };
});

/** The task is kept in the stored record if that belongs to the agent, else in memory, by agent runtime id. */
const backgroundTask = (
  { lock, store }: RegistrationDeps,
  remembered: Map<string, string>,
  agent: Agent,
  rejectedTaskId: string | undefined,
): Requesting<string> =>
  changeStored(
    lock,
    Effect.gen(function* () {
      const { agentRuntimeId } = agent.record;
      const found = Option.getOrUndefined(yield* store.load);
      const document = found?.document ?? {};
      const stored = Option.filter(
        yield* readIdentity(document),
        (record) => record.agentRuntimeId === agentRuntimeId,
      );
      const known = Option.isSome(stored)
        ? stored.value.backgroundTaskId
        : remembered.get(agentRuntimeId);
      if (known !== undefined && known !== rejectedTaskId) return known;
      const taskId = yield* registerBackgroundTask(agent.identity);
      remembered.set(agentRuntimeId, taskId);
      if (Option.isSome(stored) && document.agentIdentity?._tag === "Record") {
        const agentIdentity = withBackgroundTask(document.agentIdentity, taskId);
        yield* store.save({ ...document, agentIdentity }, { expected: found?.version ?? null });
      }
      return taskId;
    }),
  );

const registerBackgroundTask = Effect.fnUntraced(function* ({
  biscuit,
  ...rest
}: AgentTaskIdentity): Effect.fn.Return<string, LoginError, HttpTransport> {
  return yield* registerTask(biscuit === undefined ? rest : { ...rest, biscuit: yield* biscuit });
});
