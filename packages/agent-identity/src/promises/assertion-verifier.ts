import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { type AgentPublicKey, importAgentPublicKey } from "../agent-public-key.ts";
import {
  AgentPublicKeys,
  AssertionReplayStore,
  type TaskBinding,
  type VerifiedAgentAssertion,
  verifyAgentAssertion,
} from "../assertion-verifier.ts";
import { AssertionLookupFailed } from "../errors.ts";
import { checkClockWindow } from "../internal/option-number.ts";
import { makePromiseRuntime } from "../internal/promise-runtime.ts";
import type { CallOptions } from "./call-options.ts";

/** How a gateway or backend looks up what agents registered with it. */
export interface AssertionVerifierOptions {
  /** A runtime's public key: imported, 32 bytes, or in its SSH form; null or undefined where there is no such agent. */
  readonly findPublicKey: (
    agentRuntimeId: string,
    signal: AbortSignal,
  ) => Promise<AgentPublicKey | string | Uint8Array | null | undefined>;
  /** Whether a task was registered for a runtime; `null` says aloud that any task will do. */
  readonly isKnownTask: ((binding: TaskBinding, signal: AbortSignal) => Promise<boolean>) | null;
  /** Seconds that a timestamp may lie in the past or future, zero or more. Default 300. */
  readonly clockWindowSeconds?: number;
  /**
   * How many requests one assertion may accompany, one or more, counted in this process. Absent: not counted. An honest agent sends
   * the same assertion with all requests of one second.
   */
  readonly maxUsesPerAssertion?: number;
}

export interface AssertionVerifier {
  /** Verifies an `Authorization` header. Rejects with `AssertionError`; all but `AssertionLookupFailed` mean 401. */
  readonly verify: (header: string, call?: CallOptions) => Promise<VerifiedAgentAssertion>;
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

type Lookup = AssertionLookupFailed["service"];

/** A callback's failure is told by its kind only: its message is the caller's, and may hold anything. */
const ask = <A>(
  service: Lookup,
  answer: (signal: AbortSignal) => Promise<A>,
): Effect.Effect<A, AssertionLookupFailed> =>
  Effect.tryPromise({
    try: answer,
    catch: () => new AssertionLookupFailed({ service, problem: "the callback rejected" }),
  });

const imported = (key: AgentPublicKey | string | Uint8Array) =>
  typeof key === "string" || key instanceof Uint8Array
    ? Effect.mapError(
        importAgentPublicKey(key),
        ({ problem }) => new AssertionLookupFailed({ service: "AgentPublicKeys", problem }),
      )
    : Effect.succeed(key);

const publicKeysLayer = ({ findPublicKey }: AssertionVerifierOptions) => {
  const find = Effect.fnUntraced(function* (agentRuntimeId: string) {
    const key = yield* ask("AgentPublicKeys", (signal) => findPublicKey(agentRuntimeId, signal));
    return key === null || key === undefined ? Option.none() : Option.some(yield* imported(key));
  });
  return Layer.succeed(AgentPublicKeys, AgentPublicKeys.of({ find }));
};

/**
 * Accepts agents: everything that a gateway needs, without a network client. Close it when done. A clock window or a
 * number of uses that is none throws `TypeError` or `RangeError` here.
 */
export const createAssertionVerifier = (options: AssertionVerifierOptions): AssertionVerifier => {
  const { isKnownTask, maxUsesPerAssertion: maxUses } = options;
  const clockWindowSeconds = checkClockWindow(options.clockWindowSeconds);
  const replays =
    maxUses === undefined ? Layer.empty : AssertionReplayStore.layerMemory({ maxUses });
  const { run, close } = makePromiseRuntime(Layer.merge(publicKeysLayer(options), replays));
  const verifyOptions = {
    isKnownTask:
      isKnownTask === null
        ? null
        : (binding: TaskBinding) => ask("tasks", (signal) => isKnownTask(binding, signal)),
    clockWindowSeconds,
  };
  return {
    verify: (header, call) => run(verifyAgentAssertion(header, verifyOptions), call),
    close,
    [Symbol.asyncDispose]: close,
  };
};
