import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type { AgentPublicKey } from "../keys/public-key.ts";
import { assertionMessage } from "./index.ts";
import {
  AssertionAgentUnknown,
  type AssertionError,
  AssertionLookupFailed,
  AssertionMalformed,
  AssertionOutsideClockWindow,
  AssertionReplayed,
  AssertionRuntimeRefused,
  AssertionSignatureInvalid,
  AssertionTaskMismatch,
} from "../errors/index.ts";
import { AssertionReplayStore } from "./replay-store.ts";
import { checkClockWindow } from "../options/numbers.ts";
import { parseAgentAssertion, type UnverifiedAgentAssertion } from "./parse.ts";

export { type AgentPublicKey, importAgentPublicKey } from "../keys/public-key.ts";
export { AssertionReplayStore } from "./replay-store.ts";
export { parseAgentAssertion, type UnverifiedAgentAssertion } from "./parse.ts";

/** Which public key an agent registered. */
export class AgentPublicKeys extends Context.Service<
  AgentPublicKeys,
  {
    /** The key of a runtime; `None` where no such agent is registered. The id is unverified text. */
    readonly find: (
      agentRuntimeId: string,
    ) => Effect.Effect<Option.Option<AgentPublicKey>, AssertionLookupFailed>;
  }
>()("@agent-auth/agent-identity/assertion/verifier") {
  /** Looks keys up in a map, which its owner may go on changing. */
  static readonly layerMemory = (
    keys: ReadonlyMap<string, AgentPublicKey>,
  ): Layer.Layer<AgentPublicKeys> =>
    Layer.succeed(
      AgentPublicKeys,
      AgentPublicKeys.of({
        find: (agentRuntimeId) =>
          Effect.sync(() => Option.fromUndefinedOr(keys.get(agentRuntimeId))),
      }),
    );
}

/** A task and the runtime that claims it. */
export interface TaskBinding {
  readonly agentRuntimeId: string;
  readonly taskId: string;
}

/** What an assertion must satisfy beyond its signature. */
export interface VerifyAssertionOptions {
  /**
   * Whether the task was registered for this runtime; asked after the signature was found good. `null` says aloud
   * that any task of a known agent will do. It has no default.
   */
  readonly isKnownTask:
    | ((binding: TaskBinding) => Effect.Effect<boolean, AssertionLookupFailed>)
    | null;
  /** The only runtime to accept, where the caller knows. */
  readonly expectedAgentRuntimeId?: string;
  /** Seconds that the timestamp may lie in the past or future, zero or more. Default 300. */
  readonly clockWindowSeconds?: number;
}

/** An assertion whose signature, time and binding were checked. */
export interface VerifiedAgentAssertion extends TaskBinding {
  /** When it was signed, milliseconds since the epoch, whole seconds. */
  readonly timestampMs: number;
}

const checkTime = Effect.fnUntraced(function* (timestampMs: number, windowSeconds: number) {
  const nowMs = yield* Clock.currentTimeMillis;
  if (Math.abs(nowMs - timestampMs) > windowSeconds * 1000) {
    return yield* new AssertionOutsideClockWindow({ timestampMs, nowMs, windowSeconds });
  }
  return timestampMs;
});

const checkSignature = Effect.fnUntraced(function* (claimed: UnverifiedAgentAssertion) {
  const { agentRuntimeId, taskId, timestamp, signature } = claimed;
  const keys = yield* AgentPublicKeys;
  const key = yield* keys.find(agentRuntimeId);
  if (Option.isNone(key)) return yield* new AssertionAgentUnknown({ agentRuntimeId });
  const message = assertionMessage(agentRuntimeId, taskId, timestamp);
  if (!key.value.verify(message, signature)) {
    return yield* new AssertionSignatureInvalid({ agentRuntimeId });
  }
});

/**
 * The signed text joins its parts with `:`. With a colon in the runtime id, one signature would fit two pairs of ids;
 * without, the text reads in one way only, since the timestamp at its end has a fixed form.
 */
const checkUnambiguous = ({ agentRuntimeId }: UnverifiedAgentAssertion) =>
  agentRuntimeId.includes(":")
    ? Effect.fail(new AssertionMalformed({ problem: "agent_runtime_id must not hold a colon" }))
    : Effect.void;

/** What a use is counted under: one key for each runtime, task and second, whatever the ids hold. */
const replayKey = ({ agentRuntimeId, taskId, timestamp }: UnverifiedAgentAssertion): string =>
  JSON.stringify([agentRuntimeId, taskId, timestamp]);

/**
 * Verifies an `Authorization: AgentAssertion …` header, the server's side of `./assertion` (docs/protocol.md §7):
 * envelope, clock window, signature under the key that `AgentPublicKeys` has for the runtime, and the task's binding
 * to it. Where an `AssertionReplayStore` is provided, it has the last word. A runtime id with a colon is refused as
 * malformed. Nothing of the header is to be believed before this succeeds; a request without one has `undefined`.
 * Fails with `AssertionError`; all but `AssertionLookupFailed` are answers of 401. A clock window that is no number,
 * negative or without end is a programmer's slip: it dies with `TypeError` or `RangeError`.
 */
export const verifyAgentAssertion = Effect.fnUntraced(function* (
  header: string | undefined,
  options: VerifyAssertionOptions,
): Effect.fn.Return<VerifiedAgentAssertion, AssertionError, AgentPublicKeys> {
  const clockWindowSeconds = checkClockWindow(options.clockWindowSeconds);
  const claimed = yield* parseAgentAssertion(header);
  yield* checkUnambiguous(claimed);
  const { agentRuntimeId, taskId, timestampMs } = claimed;
  const { expectedAgentRuntimeId: expected = agentRuntimeId } = options;
  if (agentRuntimeId !== expected) {
    return yield* new AssertionRuntimeRefused({ expected, found: agentRuntimeId });
  }
  yield* checkTime(timestampMs, clockWindowSeconds);
  yield* checkSignature(claimed);
  const isKnown = options.isKnownTask?.({ agentRuntimeId, taskId }) ?? Effect.succeed(true);
  if (!(yield* isKnown)) return yield* new AssertionTaskMismatch({ agentRuntimeId, taskId });
  const replays = yield* Effect.serviceOption(AssertionReplayStore);
  if (Option.isSome(replays)) {
    const forgetAfterMs = timestampMs + clockWindowSeconds * 1000;
    const isAdmitted = yield* replays.value.admit(replayKey(claimed), forgetAfterMs);
    if (!isAdmitted) return yield* new AssertionReplayed({ agentRuntimeId, taskId });
  }
  return { agentRuntimeId, taskId, timestampMs };
});
