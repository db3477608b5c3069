import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Behaviour } from "./behaviours.ts";
import { delayOf, isEarly, isUsual, responseOf, withHeader } from "./behaviours.ts";
import type { RecordedRequest } from "./request-log.ts";
import type { HttpResponse } from "../http/response.ts";
import { cut, send } from "../http/send.ts";

/** A request that was recorded, and the response that it would get without a behaviour. */
export interface PendingRequest {
  readonly request: RecordedRequest;
  readonly outgoing: ServerResponse;
  /** Runs the endpoint. Call it at most once. */
  readonly usual: () => Promise<HttpResponse>;
  /** Aborted when the authority closes: ends every wait. */
  readonly closed: AbortSignal;
}

const destroy = (outgoing: ServerResponse): void => {
  outgoing.socket?.resetAndDestroy();
};

const makeResponse = async (
  behaviour: Exclude<Behaviour, "hang" | "reset" | "resetReused" | "cut">,
  { request, usual }: PendingRequest,
): Promise<HttpResponse> => {
  if (!isUsual(behaviour)) return responseOf(behaviour, request);
  const response = await usual();
  if ("headerBytes" in behaviour) return withHeader(response, behaviour.headerBytes);
  return "change" in behaviour ? behaviour.change(response, request) : response;
};

/** Responds, or does not, as the behaviour says. */
export const applyBehaviour = async (
  behaviour: Behaviour,
  pending: PendingRequest,
): Promise<void> => {
  const { request, outgoing, usual, closed } = pending;
  if (behaviour === "hang") return;
  if (behaviour === "reset" || behaviour === "resetReused") return destroy(outgoing);
  if (behaviour === "cut") return cut(outgoing, await usual());
  const response = await makeResponse(behaviour, pending);
  request.status = response.status;
  // The endpoint has run by now; only the response is late.
  const delayMs = delayOf(behaviour);
  if (delayMs > 0) await sleep(delayMs, undefined, { signal: closed });
  return send(outgoing, response);
};

/** Applies a behaviour that does not wait for the request's body: the connection is closed with the body unread. */
export const applyEarly = async (
  behaviour: Behaviour,
  request: RecordedRequest,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> => {
  if (!isEarly(behaviour)) return destroy(outgoing);
  const response = await responseOf(behaviour, request);
  request.status = response.status;
  outgoing.once("finish", () => incoming.socket.destroy());
  outgoing.shouldKeepAlive = false;
  return send(outgoing, response);
};
