import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "./answer.ts";
import type { Behaviour } from "./behaviours.ts";
import { answerOf, delayOf, isDelay } from "./behaviours.ts";
import type { RecordedRequest } from "./request-log.ts";
import { cut, send } from "./send.ts";

/** A request that was recorded, and what would be answered to it. */
export interface Pending {
  readonly request: RecordedRequest;
  readonly outgoing: ServerResponse;
  /** Does what was asked; call it at most once. */
  readonly usual: () => Promise<Answer>;
  /** Ends every wait: the authority closes. */
  readonly closed: AbortSignal;
}

/** Answers as a behaviour wants it, or not at all. */
export const misbehave = async (behaviour: Behaviour, pending: Pending): Promise<void> => {
  const { request, outgoing, usual, closed } = pending;
  if (behaviour === "hang") return;
  if (behaviour === "reset") {
    outgoing.socket?.resetAndDestroy();
    return;
  }
  if (behaviour === "cut") return cut(outgoing, await usual());
  const given = isDelay(behaviour) ? await usual() : await answerOf(behaviour, request);
  request.status = given.status;
  // What was asked is done by now; only the answer comes late.
  const delayMs = delayOf(behaviour);
  if (delayMs > 0) await sleep(delayMs, undefined, { signal: closed });
  return send(outgoing, given);
};
