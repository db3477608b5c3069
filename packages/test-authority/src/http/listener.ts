import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { applyBehaviour, applyEarly } from "../steering/apply-behaviour.ts";
import type { HttpResponse } from "./response.ts";
import { HttpError } from "./response.ts";
import { readBody } from "./body.ts";
import type { Endpoint } from "../steering/endpoint-names.ts";
import { RecordedRequest } from "../steering/request-log.ts";
import type { Match, Route } from "./router.ts";
import { findRoute } from "./router.ts";
import { send } from "./send.ts";
import type { AuthorityState } from "../state.ts";

type Found = ReturnType<typeof findRoute>;

const noRoute = (method: string, path: string, allowed: ReadonlyArray<string>): HttpError => {
  if (allowed.length === 0) {
    const text = `there is no endpoint ${method} ${path}`;
    return new HttpError(404, "not_found_error", "unknown_endpoint", text);
  }
  const text = `${path} accepts ${allowed.join(", ")}, not ${method}`;
  const headers = { allow: allowed.join(", ") };
  return new HttpError(405, "invalid_request_error", "wrong_method", text, headers);
};

/** The response to an error. Anything but an `HttpError` is a bug of the authority. */
const errorResponse = (error: unknown): HttpResponse => {
  if (error instanceof HttpError) return error.toResponse();
  const message = error instanceof Error ? error.message : "unknown";
  const text = `test-authority failed: ${message}`;
  return new HttpError(500, "server_error", "authority_defect", text).toResponse();
};

const endpointOf = (match: Match | undefined, body: string): Endpoint =>
  match?.route.refine?.(body) ?? match?.route.endpoint ?? "unknown";

const ask = async (
  state: AuthorityState,
  found: Found,
  request: RecordedRequest,
  incoming: IncomingMessage,
): Promise<HttpResponse> => {
  if ("allowed" in found) return noRoute(request.method, request.path, found.allowed).toResponse();
  try {
    return await found.route.handle({ state, request, params: found.params, incoming });
  } catch (error) {
    return errorResponse(error);
  }
};

/** Connections that have carried a request. */
const used = new WeakSet<Socket>();

/** Handles requests: finds the route, records, then applies a behaviour or asks the endpoint. */
export const makeListener =
  (state: AuthorityState, routes: ReadonlyArray<Route>, closed: AbortSignal) =>
  async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const isReused = used.has(incoming.socket);
    used.add(incoming.socket);
    const { method = "GET", headers } = incoming;
    const { pathname: path, searchParams: query } = new URL(incoming.url ?? "/", state.origin);
    const found = findRoute(routes, method, path);
    const match = "route" in found ? found : undefined;
    const record = (body: string): RecordedRequest => {
      const endpoint = endpointOf(match, body);
      const receivedAtMs = state.clock.nowMs();
      const facts = { endpoint, method, path, query, headers, body, receivedAtMs };
      return state.log.add(new RecordedRequest(facts));
    };
    const early = state.behaviours.takeEarly(endpointOf(match, ""), isReused);
    if (early !== undefined) return applyEarly(early, record(""), incoming, outgoing);
    let body: string;
    try {
      body = match?.route.streamsBody === true ? "" : await readBody(incoming);
    } catch (error) {
      const given = errorResponse(error);
      record("").status = given.status;
      return send(outgoing, given);
    }
    const request = record(body);
    const usual = async () => {
      const given = await ask(state, found, request, incoming);
      request.status = given.status;
      return given;
    };
    const behaviour = state.behaviours.take(request.endpoint);
    if (behaviour === undefined) await send(outgoing, await usual());
    else await applyBehaviour(behaviour, { request, outgoing, usual, closed });
    // An unread rest of the body would block the connection's next request.
    incoming.resume();
  };
