import { formatRfc3339Second, isRfc3339Second } from "../encoding/rfc3339.ts";
import type { AgentKey } from "../keys/index.ts";

/** The scheme of the `Authorization` header. */
export const assertionScheme = "AgentAssertion";

/** Creates `Authorization` headers for one task of one agent runtime. Keeps one header at a time. */
export interface AssertionSigner {
  readonly agentRuntimeId: string;
  readonly taskId: string;
  /**
   * Returns the header value for a time in milliseconds since the epoch. The timestamp in it has whole seconds and
   * Ed25519 is deterministic, so all calls within one second return one string that was signed once. Throws
   * `RangeError` for a time outside of the years 0000 to 9999 or NaN.
   */
  readonly authorizationAt: (nowMs: number) => string;
}

/**
 * Returns the text that an assertion signs. `timestamp` is RFC 3339 in whole seconds with `Z`.
 *
 * @example
 * ```ts
 * import { assertionMessage } from "@agent-auth/agent-identity/assertion";
 *
 * assertionMessage("agent-123", "task-123", "2026-04-13T12:00:00Z");
 * // "agent-123:task-123:2026-04-13T12:00:00Z"
 * ```
 */
export const assertionMessage = (
  agentRuntimeId: string,
  taskId: string,
  timestamp: string,
): string => `${agentRuntimeId}:${taskId}:${timestamp}`;

/**
 * Creates a signer for an agent runtime and a task; neither is checked with a server. The header is
 * `AgentAssertion <base64url of {"agent_runtime_id","signature","task_id","timestamp"}>`, with the keys in that order.
 *
 * @example
 * ```ts
 * import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
 * import { generateAgentKey } from "@agent-auth/agent-identity/promises";
 *
 * const signer = makeAssertionSigner({
 *   key: await generateAgentKey(),
 *   agentRuntimeId: "agent-123",
 *   taskId: "task-123",
 * });
 * const headers = { authorization: signer.authorizationAt(Date.now()) };
 * ```
 */
export const makeAssertionSigner = (options: {
  readonly key: AgentKey;
  readonly agentRuntimeId: string;
  readonly taskId: string;
}): AssertionSigner => {
  const { key, agentRuntimeId, taskId } = options;
  let signedSecond = Number.NaN;
  let signedHeader = "";

  const signSecond = (second: number): string => {
    if (!isRfc3339Second(second)) {
      throw new RangeError("nowMs must be milliseconds since the epoch, in the years 0000 to 9999");
    }
    const timestamp = formatRfc3339Second(second);
    const signature = key.sign(assertionMessage(agentRuntimeId, taskId, timestamp));
    if (typeof signature !== "string") throw new TypeError("key.sign must return a string");
    const envelope = JSON.stringify({
      agent_runtime_id: agentRuntimeId,
      signature,
      task_id: taskId,
      timestamp,
    });
    return `${assertionScheme} ${Buffer.from(envelope, "utf8").toString("base64url")}`;
  };

  const authorizationAt = (nowMs: number): string => {
    const second = Math.floor(nowMs / 1000);
    if (second !== signedSecond) {
      signedHeader = signSecond(second);
      signedSecond = second;
    }
    return signedHeader;
  };

  return { agentRuntimeId, taskId, authorizationAt };
};
