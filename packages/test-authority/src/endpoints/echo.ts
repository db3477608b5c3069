import type { HttpResponse } from "../http/response.ts";
import { authenticate } from "../identities/authentication.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { modelBase, path } from "../http/router.ts";

const echo = async ({ state, request, incoming }: RequestContext): Promise<HttpResponse> => {
  await authenticate(state, request);
  return {
    status: 200,
    headers: { "content-type": request.headers["content-type"] ?? "application/octet-stream" },
    body: incoming,
  };
};

async function* countBytes(incoming: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let bytes = 0;
  for await (const piece of incoming) bytes += piece.length;
  yield JSON.stringify({ bytes });
}

const sink = async ({ state, request, incoming }: RequestContext): Promise<HttpResponse> => {
  await authenticate(state, request);
  return {
    status: 200,
    headers: { "content-type": "application/json; charset=utf-8" },
    body: countBytes(incoming),
  };
};

/** `…/echo` streams the body back; `…/sink` responds with `{"bytes": n}`. Neither holds it in memory. */
export const echoRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "echo",
    method: "POST",
    pattern: path(`${modelBase}/echo`),
    streamsBody: true,
    handle: echo,
  },
  {
    endpoint: "echo",
    method: "POST",
    pattern: path(`${modelBase}/sink`),
    streamsBody: true,
    handle: sink,
  },
];
