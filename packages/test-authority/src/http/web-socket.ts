import { STATUS_CODES } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocketServer } from "ws";
import type { RawData, WebSocket } from "ws";
import * as z from "zod";
import type { HttpResponse } from "./response.ts";
import { badRequest, notFound, HttpError } from "./response.ts";
import { authenticate } from "../identities/authentication.ts";
import type { Behaviour } from "../steering/behaviours.ts";
import { responseOf, delayOf, isUsual } from "../steering/behaviours.ts";
import { modelReplyFacts, pacedEvents, ResponsesRequest } from "../endpoints/responses.ts";
import { RecordedRequest } from "../steering/request-log.ts";
import { modelBase, path } from "./router.ts";
import type { AuthorityState } from "../state.ts";

const socketPath = path(`${modelBase}/responses`);

const ClientEvent = ResponsesRequest.extend({ type: z.literal("response.create") });

/** Rejects an upgrade with an HTTP response (RFC 6455 §4.2.2). */
const rejectUpgrade = (socket: Duplex, { status, headers = {}, body = "" }: HttpResponse): void => {
  const text = typeof body === "string" ? body : "";
  const lines = Object.entries({
    ...headers,
    "content-length": String(Buffer.byteLength(text)),
    connection: "close",
  }).map(([name, value]) => `${name}: ${value}`);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("\r\n")}\r\n\r\n${text}`,
  );
};

const textOf = (data: RawData): string => {
  if (Array.isArray(data)) return Buffer.concat(data).toString("utf8");
  return (data instanceof ArrayBuffer ? Buffer.from(data) : data).toString("utf8");
};

const parseClientEvent = (text: string): z.infer<typeof ClientEvent> => {
  try {
    return ClientEvent.parse(JSON.parse(text));
  } catch {
    throw badRequest("invalid_event", "the message is not a response.create event");
  }
};

/** Responds to each `response.create` with the events of one model reply, one message each. */
const converse = (state: AuthorityState, request: RecordedRequest, peer: WebSocket): void => {
  const reply = async (text: string): Promise<void> => {
    try {
      const facts = modelReplyFacts(state, parseClientEvent(text));
      for await (const event of pacedEvents(state, facts)) {
        if (peer.readyState !== peer.OPEN) return;
        peer.send(JSON.stringify(event));
      }
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      const { message, type, code, status } = error;
      peer.send(JSON.stringify({ type: "error", status, error: { message, type, code } }));
    }
  };
  peer.on("message", (data) => {
    const text = textOf(data);
    request.messages.push(text);
    reply(text).catch(() => peer.terminate());
  });
  // A malformed frame closes the connection.
  peer.on("error", () => peer.terminate());
};

/**
 * Applies a behaviour to an upgrade. Returns `undefined` if the handshake continues. A handshake has no response to
 * change, so `change` and `headerBytes` do nothing to it.
 */
const applyBehaviour = async (
  behaviour: Behaviour | undefined,
  request: RecordedRequest,
  socket: Duplex,
  closed: AbortSignal,
): Promise<HttpResponse | "handled" | undefined> => {
  if (behaviour === undefined) return undefined;
  if (behaviour === "hang") return "handled";
  if (behaviour === "reset" || behaviour === "resetReused" || behaviour === "cut") {
    socket.destroy();
    return "handled";
  }
  const delayMs = delayOf(behaviour);
  if (delayMs > 0) await sleep(delayMs, undefined, { signal: closed });
  if (isUsual(behaviour)) return undefined;
  return responseOf(behaviour, request);
};

/** Accepts authenticated WebSocket upgrades at the paths of model requests. */
export const acceptSockets = (server: Server, state: AuthorityState, closed: AbortSignal): void => {
  const sockets = new WebSocketServer({ noServer: true });
  const open = new Set<Duplex>();
  closed.addEventListener("abort", () => {
    for (const socket of open) socket.destroy();
  });

  const authenticateUpgrade = async (request: RecordedRequest): Promise<void> => {
    if (!socketPath.test(request.path))
      throw notFound("unknown_endpoint", `there is no WebSocket endpoint ${request.path}`);
    await authenticate(state, request);
  };

  const upgrade = async (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = new URL(incoming.url ?? "/", state.origin);
    const request = state.log.add(
      new RecordedRequest({
        endpoint: socketPath.test(url.pathname) ? "responsesSocket" : "unknown",
        method: incoming.method ?? "GET",
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body: "",
        receivedAtMs: state.clock.nowMs(),
      }),
    );
    const behaviour = state.behaviours.take(request.endpoint);
    const given = await applyBehaviour(behaviour, request, socket, closed);
    if (given === "handled") return;
    if (given !== undefined) {
      request.status = given.status;
      rejectUpgrade(socket, given);
      return;
    }
    try {
      await authenticateUpgrade(request);
      request.status = 101;
      sockets.handleUpgrade(incoming, socket, head, (peer) => converse(state, request, peer));
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      request.status = error.status;
      rejectUpgrade(socket, error.toResponse());
    }
  };

  server.on("upgrade", (incoming, socket, head) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
    upgrade(incoming, socket, head).catch(() => socket.destroy());
  });
};
