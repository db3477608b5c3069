import { EndpointError, responding } from "@agent-auth/gateway/endpoints";
import type { RequestRejected, StoreUnavailable } from "@agent-auth/gateway/errors";
import * as Effect from "effect/Effect";
import { HttpError, type HttpResponse } from "../http/response.ts";
import type { RequestContext } from "../http/router.ts";
import { onAuthorityClock } from "../identities/agents.ts";

/** The recorded request as a `Request` of the Fetch API, which the gateway's endpoints take. */
export const webRequest = ({ state, request }: RequestContext): Request => {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers))
    if (value !== undefined) headers.set(name, typeof value === "string" ? value : value.join());
  const { body, method, path } = request;
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(new URL(path, state.origin), {
    method,
    headers,
    ...(hasBody ? { body } : {}),
  });
};

/** Runs a function for a gateway's endpoint: an `HttpError` that it throws becomes an `EndpointError`. */
export const orEndpointError = <A>(work: () => A): Effect.Effect<A, EndpointError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work());
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      const { code, message, status } = error;
      return new EndpointError({ status: status === 401 ? 401 : 400, code, message });
    }
  });

/** Runs a gateway's endpoint by the authority's clock. */
export const runEndpoint = async (
  { state }: RequestContext,
  endpoint: Effect.Effect<Response, EndpointError | RequestRejected | StoreUnavailable>,
): Promise<HttpResponse> => {
  const challenges = { realm: "test-authority", acceptsBearer: true };
  const response = await Effect.runPromise(
    onAuthorityClock(state.clock, responding(endpoint, challenges)),
  );
  const { status } = response;
  const headers = Object.fromEntries(response.headers);
  return response.body === null
    ? { status, headers }
    : { status, headers, body: await response.text() };
};
