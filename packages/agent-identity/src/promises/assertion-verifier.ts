import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { type AgentPublicKey, importAgentPublicKey } from "../keys/public-key.ts";
import {
  AgentPublicKeys,
  AssertionReplayStore,
  parseAgentAssertion as parse,
  type TaskBinding,
  type UnverifiedAgentAssertion,
  type VerifiedAgentAssertion,
  verifyAgentAssertion,
} from "../assertion/verifier.ts";
import { AssertionLookupFailed } from "../errors/index.ts";
import { checkClockWindow } from "../options/numbers.ts";
import { makePromiseRuntime } from "./runtime.ts";
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
   * How often one assertion may be used. Absent: not counted. An honest agent sends the same assertion with all requests
   * of one second. `maxUses` and `capacity` (default 100,000 assertions) count in this process; a function asks a store
   * that processes share.
   */
  readonly replays?:
    | { readonly maxUses: number; readonly capacity?: number }
    | ((use: AssertionUse, signal: AbortSignal) => Promise<boolean>);
}

/** One use of an assertion, to be counted and admitted, or not. */
export interface AssertionUse {
  /** Stands for runtime, task and second, however the header was spelled. */
  readonly key: string;
  /** When the clock window refuses it anyway, milliseconds since the epoch: it may be forgotten then. */
  readonly forgetAfterMs: number;
}

/** What one call of `verify` expects. */
export interface VerifyAssertionCall extends CallOptions {
  /** The only runtime to accept, where the caller knows. */
  readonly expectedAgentRuntimeId?: string;
}

/** Accepts agents, until it is closed. */
export interface AssertionVerifier {
  /**
   * Verifies an `Authorization` header, `undefined` where a request has none. Rejects with `AssertionError`; all but
   * `AssertionLookupFailed` mean 401.
   */
  readonly verify: (
    header: string | undefined,
    call?: VerifyAssertionCall,
  ) => Promise<VerifiedAgentAssertion>;
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
    try: async (signal) => answer(signal),
    catch: () => new AssertionLookupFailed({ service, problem: "the callback rejected" }),
  });

/** Only `true` is a yes: a look-up that returns its rows would find an empty list truthy. */
const askWhether = (service: Lookup, answer: (signal: AbortSignal) => Promise<unknown>) =>
  Effect.map(ask(service, answer), (said) => said === true);

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

/** Reads a header without trusting it, as `verify` does first. Rejects with `AssertionMalformed`. */
export const parseAgentAssertion = (
  header: string | undefined,
): Promise<UnverifiedAgentAssertion> => Effect.runPromise(parse(header));

const replaysLayer = ({ replays }: AssertionVerifierOptions) => {
  if (replays === undefined) return Layer.empty;
  if (typeof replays !== "function") return AssertionReplayStore.layerMemory(replays);
  const admit = (key: string, forgetAfterMs: number) =>
    askWhether("AssertionReplayStore", (signal) => replays({ key, forgetAfterMs }, signal));
  return Layer.succeed(AssertionReplayStore, AssertionReplayStore.of({ admit }));
};

const taskLookup = ({ isKnownTask }: AssertionVerifierOptions) =>
  isKnownTask === null
    ? null
    : (binding: TaskBinding) => askWhether("tasks", (signal) => isKnownTask(binding, signal));

/**
 * Accepts agents: everything that a gateway needs, without a network client. Close it when done. A clock window or a
 * number of uses that is none throws `TypeError` or `RangeError` here.
 */
export const createAssertionVerifier = (options: AssertionVerifierOptions): AssertionVerifier => {
  const clockWindowSeconds = checkClockWindow(options.clockWindowSeconds);
  const isKnownTask = taskLookup(options);
  const { run, close } = makePromiseRuntime(
    Layer.merge(publicKeysLayer(options), replaysLayer(options)),
  );
  return {
    verify: (header, { expectedAgentRuntimeId, ...call } = {}) => {
      const expected = expectedAgentRuntimeId === undefined ? {} : { expectedAgentRuntimeId };
      const verifying = { isKnownTask, clockWindowSeconds, ...expected };
      return run(verifyAgentAssertion(header, verifying), call);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
};
