// A namespace import: a named import that an older Node lacks would fail before the version of Node is checked.
import * as nodeCrypto from "node:crypto";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { describeType } from "../encoding/text.ts";
import {
  AssertionAgentMismatch,
  AssertionAgentUnknown,
  type AssertionError,
  AssertionLookupFailed,
  AssertionMalformed,
  AssertionOutsideClockWindow,
  AssertionReplayed,
  AssertionSignatureInvalid,
  AssertionTaskMismatch,
} from "../errors/index.ts";
import type { AgentPublicKey } from "../keys/public-key.ts";
import { assertionMessage } from "./index.ts";
import {
  checkVerifyAssertionOptions,
  type TaskBinding,
  type VerifyAssertionOptions,
} from "./options.ts";
import { parseAgentAssertion, type UnverifiedAgentAssertion } from "./parse.ts";
import { AssertionReplayStore } from "./replay-store.ts";

export { type AgentPublicKey, importAgentPublicKey } from "../keys/public-key.ts";
export type { TaskBinding, VerifyAssertionOptions } from "./options.ts";
export { AssertionReplayStore } from "./replay-store.ts";
export {
  decodeAgentAssertion,
  parseAgentAssertion,
  type UnverifiedAgentAssertion,
} from "./parse.ts";

/**
 * Finds the public key that an agent registered.
 *
 * @example
 * ```ts
 * import { AgentPublicKeys, importAgentPublicKey } from "@agent-auth/agent-identity/assertion/verifier";
 * import { generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import * as Effect from "effect/Effect";
 *
 * const { sshPublicKey } = await Effect.runPromise(generateAgentKey);
 * const publicKey = await Effect.runPromise(importAgentPublicKey(sshPublicKey));
 * const layer = AgentPublicKeys.layerMemory(new Map([["agent-123", publicKey]]));
 * ```
 */
export class AgentPublicKeys extends Context.Service<
  AgentPublicKeys,
  {
    /**
     * The key of an agent runtime; `None` if no such agent is registered. The id is unverified text, such as
     * `constructor`: look it up in a `Map` or a database, or check `Object.hasOwn` first.
     */
    readonly find: (
      agentRuntimeId: string,
    ) => Effect.Effect<Option.Option<AgentPublicKey>, AssertionLookupFailed>;
  }
>()("@agent-auth/agent-identity/assertion/verifier") {
  /** Looks keys up in a map, which its owner may continue to change. */
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

/** An assertion whose signature, time and task were checked. */
export interface VerifiedAgentAssertion extends TaskBinding {
  /** When it was signed, milliseconds since the epoch, whole seconds. */
  readonly timestampMs: number;
}

type Service = AssertionLookupFailed["service"];

const lookupFailed = (service: Service, problem: string) =>
  new AssertionLookupFailed({ service, problem });

const wrongType = (service: Service, expected: string, value: unknown) => {
  // An unhandled rejection of a Promise that was returned by mistake would end the process.
  if (value instanceof Promise) value.catch(() => undefined);
  return lookupFailed(service, `it must return ${expected}, found ${describeType(value)}`);
};

/** Calls a service that the consumer provides. If it throws, dies, or does not return an Effect, the look-up failed. */
const callService = <A>(
  service: Service,
  call: () => Effect.Effect<A, AssertionLookupFailed>,
): Effect.Effect<unknown, AssertionLookupFailed> =>
  Effect.suspend(() => {
    const effect = call();
    return Effect.isEffect(effect) ? effect : wrongType(service, "an Effect", effect);
  }).pipe(
    Effect.catchDefect(() => Effect.fail(lookupFailed(service, "it threw or died unexpectedly"))),
  );

/** Only `true` is accepted; `undefined` and `null`, as `?.` returns them, count as `false`; anything else is a mistake. */
const isTrue = Effect.fnUntraced(function* (service: Service, value: unknown) {
  if (typeof value === "boolean") return value;
  if (value === undefined || value === null) return false;
  return yield* wrongType(service, "a boolean", value);
});

const checkTime = Effect.fnUntraced(function* (timestampMs: number, windowSeconds: number) {
  const nowMs = yield* Clock.currentTimeMillis;
  if (Math.abs(nowMs - timestampMs) > windowSeconds * 1000) {
    return yield* new AssertionOutsideClockWindow({ timestampMs, nowMs, windowSeconds });
  }
});

const checkSignature = Effect.fnUntraced(function* (claimed: UnverifiedAgentAssertion) {
  const { agentRuntimeId, taskId, timestamp, signature } = claimed;
  const keys = yield* AgentPublicKeys;
  const service = "AgentPublicKeys";
  const found = yield* callService(service, () => keys.find(agentRuntimeId));
  if (!Option.isOption(found)) return yield* wrongType(service, "an Option", found);
  if (Option.isNone(found)) return yield* new AssertionAgentUnknown({ agentRuntimeId });
  const key: unknown = found.value;
  const message = assertionMessage(agentRuntimeId, taskId, timestamp);
  const verified = yield* Effect.try({
    try: () => (isPublicKey(key) ? { result: key.verify(message, signature) } : undefined),
    catch: () => lookupFailed(service, "verify of the public key threw"),
  });
  if (verified === undefined) return yield* wrongType(service, "an AgentPublicKey", key);
  if (!(yield* isTrue(service, verified.result))) {
    return yield* new AssertionSignatureInvalid({ agentRuntimeId });
  }
});

const isPublicKey = (
  key: unknown,
): key is { readonly verify: (message: string, signature: string) => unknown } =>
  typeof key === "object" && key !== null && "verify" in key && typeof key.verify === "function";

/**
 * Returns the key under which a replay store counts the uses of an assertion: a digest of agent runtime, task and second,
 * 43 base64url characters whatever the ids are.
 *
 * @example
 * ```ts
 * import { assertionReplayKey } from "@agent-auth/agent-identity/assertion/verifier";
 *
 * assertionReplayKey({
 *   agentRuntimeId: "agent-123",
 *   taskId: "task-123",
 *   timestamp: "2026-04-13T12:00:00Z",
 * }).length; // 43
 * ```
 */
export const assertionReplayKey = ({
  agentRuntimeId,
  taskId,
  timestamp,
}: Pick<UnverifiedAgentAssertion, "agentRuntimeId" | "taskId" | "timestamp">): string =>
  nodeCrypto.hash("sha256", JSON.stringify([agentRuntimeId, taskId, timestamp]), "base64url");

/**
 * Verifies an `Authorization: AgentAssertion …` header, on the server (docs/protocol.md §7): envelope, clock window,
 * signature with the key that `AgentPublicKeys` has for the agent runtime, and the task. If an `AssertionReplayStore` is
 * provided, it is asked last. An agent runtime id with a colon is rejected as malformed. `undefined` or `null` stands for
 * a request without the header. Nothing in the header may be used before this succeeds.
 *
 * Fails with `AssertionError`. `AssertionLookupFailed` means that a service failed or returned a value of the wrong type
 * (respond with 503); all others mean 401. Dies with `TypeError` or `RangeError` if an option has the wrong type or range.
 *
 * @example
 * ```ts
 * import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
 * import {
 *   AgentPublicKeys,
 *   importAgentPublicKey,
 *   verifyAgentAssertion,
 * } from "@agent-auth/agent-identity/assertion/verifier";
 * import { generateAgentKey } from "@agent-auth/agent-identity/keys";
 * import * as Effect from "effect/Effect";
 *
 * const program = Effect.gen(function* () {
 *   const key = yield* generateAgentKey;
 *   const publicKeys = new Map([["agent-123", yield* importAgentPublicKey(key.publicKeyRaw)]]);
 *   const signer = makeAssertionSigner({ key, agentRuntimeId: "agent-123", taskId: "task-123" });
 *   const header = signer.authorizationAt(Date.now());
 *   return yield* verifyAgentAssertion(header, {
 *     isKnownTask: ({ taskId }) => Effect.succeed(taskId === "task-123"),
 *   }).pipe(Effect.provide(AgentPublicKeys.layerMemory(publicKeys)));
 * });
 * const { agentRuntimeId } = await Effect.runPromise(program); // "agent-123"
 * ```
 */
export const verifyAgentAssertion = Effect.fnUntraced(function* (
  header: string | null | undefined,
  options: VerifyAssertionOptions,
): Effect.fn.Return<VerifiedAgentAssertion, AssertionError, AgentPublicKeys> {
  const checked = checkVerifyAssertionOptions(options);
  const { isKnownTask, clockWindowSeconds } = checked;
  const claimed = yield* parseAgentAssertion(header);
  const { agentRuntimeId, taskId, timestampMs } = claimed;
  // The signed text joins its parts with colons. With a colon in the agent runtime id, one signature would be valid for two
  // pairs of ids; without one the text is unambiguous, since the timestamp at its end has a fixed form.
  if (agentRuntimeId.includes(":")) {
    return yield* new AssertionMalformed({ problem: "agent_runtime_id must not contain a colon" });
  }
  const { expectedAgentRuntimeId: expected = agentRuntimeId } = checked;
  if (agentRuntimeId !== expected) {
    return yield* new AssertionAgentMismatch({ expected, found: agentRuntimeId });
  }
  yield* checkTime(timestampMs, clockWindowSeconds);
  yield* checkSignature(claimed);
  if (isKnownTask !== null) {
    const known = yield* callService("tasks", () => isKnownTask({ agentRuntimeId, taskId }));
    if (!(yield* isTrue("tasks", known))) {
      return yield* new AssertionTaskMismatch({ agentRuntimeId, taskId });
    }
  }
  const store = Option.getOrUndefined(yield* Effect.serviceOption(AssertionReplayStore));
  if (store !== undefined) {
    const forgetAfterMs = timestampMs + clockWindowSeconds * 1000;
    const admitted = yield* callService("AssertionReplayStore", () =>
      store.admit(assertionReplayKey(claimed), forgetAfterMs),
    );
    if (!(yield* isTrue("AssertionReplayStore", admitted))) {
      return yield* new AssertionReplayed({ agentRuntimeId, taskId });
    }
  }
  return { agentRuntimeId, taskId, timestampMs };
});
