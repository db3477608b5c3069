import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { checkVerifyAssertionOptions } from "../assertion/options.ts";
import {
  type AgentPublicKey,
  AgentPublicKeys,
  AssertionReplayStore,
  importAgentPublicKey,
  parseAgentAssertion as parse,
  type TaskBinding,
  type UnverifiedAgentAssertion,
  type VerifiedAgentAssertion,
  verifyAgentAssertion,
} from "../assertion/verifier.ts";
import { AssertionLookupFailed } from "../errors/index.ts";
import { type CallOptions, makePromiseRuntime } from "./runtime.ts";

/** How a gateway or backend looks up what agents registered with it. */
export interface AssertionVerifierOptions {
  /**
   * Returns the public key of an agent runtime: imported, 32 bytes, or in SSH format; null or undefined if there is no
   * such agent. The id is unverified text, such as `constructor`: look it up in a `Map` or a database, or check
   * `Object.hasOwn` first.
   */
  readonly findPublicKey: (
    agentRuntimeId: string,
    signal: AbortSignal,
  ) => Promise<AgentPublicKey | string | Uint8Array | null | undefined>;
  /** Returns whether a task was registered for an agent runtime; `null` accepts any task of a known agent. */
  readonly isKnownTask: ((binding: TaskBinding, signal: AbortSignal) => Promise<boolean>) | null;
  /** How many seconds the timestamp may be in the past or future, zero or more. Default 300. */
  readonly clockWindowSeconds?: number;
  /**
   * How often one assertion may be used; uses are not counted by default. An agent sends the same assertion with all
   * requests of one second. `maxUses` and `capacity` (default 100,000 assertions) count in this process; a function asks a
   * store that processes share and returns whether the use is admitted.
   */
  readonly replays?:
    | { readonly maxUses: number; readonly capacity?: number }
    | ((use: AssertionUse, signal: AbortSignal) => Promise<boolean>);
}

/** One use of an assertion, to be counted. */
export interface AssertionUse {
  /** A digest of its agent runtime, task and second, however the header is spelled. */
  readonly key: string;
  /** When the clock window rejects it anyway, milliseconds since the epoch: it may be forgotten then. */
  readonly forgetAfterMs: number;
}

/** Options of one call of `verify`. */
export interface VerifyAssertionCall extends CallOptions {
  /** The only agent runtime to accept, if the caller knows it. */
  readonly expectedAgentRuntimeId?: string;
}

/** Verifies assertions of agents until it is closed. */
export interface AssertionVerifier {
  /**
   * Verifies an `Authorization` header; `undefined` or `null` if a request has none. Rejects with `AssertionError`; all
   * but `AssertionLookupFailed` mean 401.
   */
  readonly verify: (
    header: string | null | undefined,
    call?: VerifyAssertionCall,
  ) => Promise<VerifiedAgentAssertion>;
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** A callback's failure is reported without its message, which is the caller's and may contain anything. */
const ask = <A>(
  service: AssertionLookupFailed["service"],
  callback: (signal: AbortSignal) => Promise<A>,
): Effect.Effect<A, AssertionLookupFailed> =>
  Effect.tryPromise({
    try: async (signal) => callback(signal),
    catch: () => new AssertionLookupFailed({ service, problem: "the callback failed" }),
  });

/** Text and bytes are imported; anything else is checked where it is used. */
const importIfNeeded = (key: AgentPublicKey | string | Uint8Array) =>
  typeof key === "string" || key instanceof Uint8Array
    ? Effect.mapError(
        importAgentPublicKey(key),
        ({ problem }) => new AssertionLookupFailed({ service: "AgentPublicKeys", problem }),
      )
    : Effect.succeed(key);

const publicKeysLayer = ({ findPublicKey }: AssertionVerifierOptions) => {
  const find = Effect.fnUntraced(function* (agentRuntimeId: string) {
    const key = yield* ask("AgentPublicKeys", (signal) => findPublicKey(agentRuntimeId, signal));
    return key === null || key === undefined
      ? Option.none()
      : Option.some(yield* importIfNeeded(key));
  });
  return Layer.succeed(AgentPublicKeys, AgentPublicKeys.of({ find }));
};

/**
 * Parses an `Authorization` header without verifying it. Rejects with `AssertionMalformed`.
 *
 * @example
 * ```ts
 * import { parseAgentAssertion } from "@agent-auth/agent-identity/promises";
 *
 * const agentRuntimeId = await parseAgentAssertion("Bearer token").then(
 *   (unverified) => unverified.agentRuntimeId,
 *   () => "not an assertion",
 * );
 * ```
 */
export const parseAgentAssertion = (
  header: string | null | undefined,
): Promise<UnverifiedAgentAssertion> => Effect.runPromise(parse(header));

const replaysLayer = ({ replays }: AssertionVerifierOptions) => {
  if (replays === undefined) return Layer.empty;
  if (typeof replays !== "function") return AssertionReplayStore.layerMemory(replays);
  const admit = (key: string, forgetAfterMs: number) =>
    ask("AssertionReplayStore", (signal) => replays({ key, forgetAfterMs }, signal));
  return Layer.succeed(AssertionReplayStore, AssertionReplayStore.of({ admit }));
};

const taskLookup = ({ isKnownTask }: AssertionVerifierOptions) =>
  typeof isKnownTask === "function"
    ? (binding: TaskBinding) => ask("tasks", (signal) => isKnownTask(binding, signal))
    : isKnownTask;

/**
 * Creates a verifier of agents' assertions: all that a gateway needs, without a network client. Close it after its last
 * call. Results of the callbacks are checked: an assertion is accepted only if they return exactly `true` or a public key;
 * a result of another type rejects with `AssertionLookupFailed`. Throws `TypeError` or `RangeError` if an option has the
 * wrong type or range.
 *
 * @example
 * ```ts
 * import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
 * import { createAssertionVerifier, generateAgentKey } from "@agent-auth/agent-identity/promises";
 *
 * const key = await generateAgentKey();
 * const publicKeys = new Map([["agent-123", key.sshPublicKey]]);
 * const tasks = new Map([["agent-123", new Set(["task-123"])]]);
 * await using verifier = createAssertionVerifier({
 *   findPublicKey: async (agentRuntimeId) => publicKeys.get(agentRuntimeId),
 *   isKnownTask: async ({ agentRuntimeId, taskId }) =>
 *     tasks.get(agentRuntimeId)?.has(taskId) ?? false,
 * });
 *
 * const signer = makeAssertionSigner({ key, agentRuntimeId: "agent-123", taskId: "task-123" });
 * const agent = await verifier.verify(signer.authorizationAt(Date.now()));
 * agent.agentRuntimeId; // "agent-123"
 * ```
 */
export const createAssertionVerifier = (options: AssertionVerifierOptions): AssertionVerifier => {
  if (typeof options.findPublicKey !== "function") {
    throw new TypeError("findPublicKey must be a function");
  }
  const { clockWindowSeconds } = options;
  const checked = checkVerifyAssertionOptions({
    isKnownTask: taskLookup(options),
    ...(clockWindowSeconds === undefined ? {} : { clockWindowSeconds }),
  });
  const { run, close } = makePromiseRuntime(
    Layer.merge(publicKeysLayer(options), replaysLayer(options)),
  );
  return {
    verify: async (header, call = {}) => {
      const { signal } = call;
      // Only this option is copied: `isKnownTask` or `clockWindowSeconds` would override the options of the verifier.
      const expected =
        "expectedAgentRuntimeId" in call
          ? { expectedAgentRuntimeId: call.expectedAgentRuntimeId }
          : {};
      return run(verifyAgentAssertion(header, { ...checked, ...expected }), signal && { signal });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
};
