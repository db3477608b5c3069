import { createServer as createHttpServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "./answer.ts";
import { json, Refusal } from "./answer.ts";
import type { Behaviour } from "./behaviours.ts";
import { answerOf, delayOf, isDelay } from "./behaviours.ts";
import { readBody } from "./body.ts";
import type { Endpoint } from "./endpoint-names.ts";
import { ListenFailed } from "./errors.ts";
import { RecordedRequest } from "./request-log.ts";
import type { Match, Route } from "./router.ts";
import { findRoute } from "./router.ts";
import type { Tls } from "./self-signed.ts";
import { cut, send } from "./send.ts";
import type { AuthorityState } from "./state.ts";

const noRoute = (method: string, path: string, allowed: ReadonlyArray<string>): Answer => {
  if (allowed.length === 0) {
    const text = `nothing answers ${method} ${path} here`;
    return new Refusal(404, "not_found_error", "unknown_endpoint", text).toAnswer();
  }
  const text = `${path} answers ${allowed.join(", ")}, not ${method}`;
  const headers = { allow: allowed.join(", ") };
  return new Refusal(405, "invalid_request_error", "wrong_method", text, headers).toAnswer();
};

/** What went wrong as an answer: a refusal says why, anything else is a defect of the authority itself. */
const answerError = (error: unknown): Answer =>
  error instanceof Refusal
    ? error.toAnswer()
    : json(500, {
        error: {
          message: `test-authority failed: ${error instanceof Error ? error.message : "unknown"}`,
          type: "server_error",
          code: "authority_defect",
        },
      });

const endpointOf = (match: Match | undefined, body: string): Endpoint =>
  match?.route.refine?.(body) ?? match?.route.endpoint ?? "unknown";

/** Turns requests into answers: route, record, misbehave if asked to, else ask the endpoint. */
export const makeListener = (
  state: AuthorityState,
  routes: ReadonlyArray<Route>,
  closed: AbortSignal,
) => {
  const answer = async (
    request: RecordedRequest,
    found: Match | { readonly allowed: ReadonlyArray<string> },
    incoming: IncomingMessage,
  ): Promise<Answer> => {
    if ("allowed" in found) return noRoute(request.method, request.path, found.allowed);
    try {
      return await found.route.handle({ state, request, params: found.params, incoming });
    } catch (error) {
      return answerError(error);
    }
  };

  const behave = async (
    behaviour: Behaviour,
    request: RecordedRequest,
    usual: () => Promise<Answer>,
    outgoing: ServerResponse,
  ): Promise<void> => {
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

  return async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const url = new URL(incoming.url ?? "/", state.origin);
    const method = incoming.method ?? "GET";
    const found = findRoute(routes, method, url.pathname);
    const match = "route" in found ? found : undefined;
    const record = (body: string): RecordedRequest => {
      const request = new RecordedRequest({
        endpoint: endpointOf(match, body),
        method,
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body,
        receivedAtMs: state.clock.nowMs(),
      });
      state.log.add(request);
      return request;
    };
    let body = "";
    try {
      if (match?.route.streamsBody !== true) body = await readBody(incoming);
    } catch (error) {
      const given = answerError(error);
      record("").status = given.status;
      return send(outgoing, given);
    }
    const request = record(body);
    const usual = async () => {
      const given = await answer(request, found, incoming);
      request.status = given.status;
      return given;
    };
    const behaviour = state.behaviours.take(request.endpoint);
    if (behaviour === undefined) await send(outgoing, await usual());
    else await behave(behaviour, request, usual, outgoing);
    incoming.resume();
  };
};

type Listener = ReturnType<typeof makeListener>;

/** A server that does not listen yet. A client that goes away in mid-answer is not an error. */
export const makeServer = (listener: Listener, tls: Tls | undefined): Server => {
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    listener(incoming, outgoing).catch(() => outgoing.destroy());
  };
  const server =
    tls === undefined ? createHttpServer(onRequest) : createHttpsServer({ ...tls }, onRequest);
  server.requestTimeout = 0;
  return server;
};

/** Listens; gives back the port. */
export const listen = (server: Server, host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(new ListenFailed({ host, port, reason: error.code ?? error.message })),
    );
    server.listen(port, host, () => {
      const address: AddressInfo | string | null = server.address();
      if (address === null || typeof address === "string")
        reject(new ListenFailed({ host, port, reason: "no TCP address" }));
      else resolve(address.port);
    });
  });
