import { formatRfc3339Second, isRfc3339Second } from "../encoding/rfc3339.ts";
import type { AgentKey } from "../keys/index.ts";

/** The scheme of the `Authorization` header. */
export const assertionScheme = "AgentAssertion";

/** Makes `Authorization` headers for one task of one runtime. Holds one header at a time. */
export interface AssertionSigner {
  readonly agentRuntimeId: string;
  readonly taskId: string;
  /**
   * The header value for a moment, in milliseconds since the epoch. The timestamp in it has whole seconds and Ed25519
   * is deterministic, so all calls within one second return one string that was signed once; clocks may jump as they
   * like. A moment outside of the years 0000 to 9999, or not a number, is a programmer's slip: `RangeError`.
   */
  readonly authorizationAt: (nowMs: number) => string;
}

/** The bytes that an assertion signs; the timestamp is RFC 3339 in whole seconds with `Z`. */
export const assertionMessage = (
  agentRuntimeId: string,
  taskId: string,
  timestamp: string,
): string => `${agentRuntimeId}:${taskId}:${timestamp}`;

/**
 * Binds a key to a runtime and a task. Nothing is registered or checked with a server.
 * Header: `AgentAssertion <base64url of {"agent_runtime_id","signature","task_id","timestamp"}>`, in that key order.
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
    const envelope = JSON.stringify({
      agent_runtime_id: agentRuntimeId,
      signature: key.sign(assertionMessage(agentRuntimeId, taskId, timestamp)),
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
