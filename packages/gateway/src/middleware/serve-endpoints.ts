import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { sourceOfAddress } from "./authenticator.ts";

/**
 * The header in which `serveEndpoints` passes the remote address to the endpoints; what a client sends in it is
 * dropped.
 */
export const sourceHeader = "x-agent-auth-source";

/** The part of a gateway that is used: it returns the response of an endpoint, or undefined for other paths. */
export interface EndpointsLike {
  readonly handle: (request: Request) => Promise<Response | undefined>;
}

const headersOf = (incoming: IncomingMessage): Headers => {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers))
    if (value !== undefined && !name.startsWith(":"))
      headers.set(name, typeof value === "string" ? value : value.join(", "));
  headers.delete(sourceHeader);
  const address = incoming.socket.remoteAddress;
  if (address !== undefined) headers.set(sourceHeader, sourceOfAddress(address));
  return headers;
};

/** Undefined if the request's target is not a path or URL. */
const requestOf = (incoming: IncomingMessage): Request | undefined => {
  const url = URL.parse(incoming.url ?? "/", "http://localhost");
  if (url === null) return undefined;
  const { method = "GET" } = incoming;
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(url, {
    method,
    headers: headersOf(incoming),
    ...(hasBody ? { body: Readable.toWeb(incoming), duplex: "half" } : {}),
  });
};

/**
 * Returns middleware for Node's and Express' servers that serves the gateway's endpoints, and calls `next` for other paths.
 * Use it before anything that reads bodies.
 *
 * @example
 * ```ts
 * import { nodeListener, serveEndpoints } from "@agent-auth/gateway/middleware";
 * import { createGateway } from "@agent-auth/gateway/promises";
 * import { createServer } from "node:http";
 *
 * await using gateway = await createGateway();
 * const endpoints = serveEndpoints(gateway);
 * const models = nodeListener(gateway, (_request, response) => response.end("hello"));
 * const server = createServer((request, response) =>
 *   endpoints(request, response, () => models(request, response)),
 * );
 * ```
 */
export const serveEndpoints = (gateway: EndpointsLike) => {
  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse, next: () => void) => {
    const request = requestOf(incoming);
    if (request === undefined) {
      outgoing.writeHead(400).end();
      return;
    }
    let response: Response | undefined;
    try {
      response = await gateway.handle(request);
    } catch {
      // A gateway only rejects once it is closed; everything else is a response, and in its log.
      response = new Response(null, { status: 503, headers: { "retry-after": "1" } });
    }
    if (response === undefined) {
      next();
      return;
    }
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  };
  return (incoming: IncomingMessage, outgoing: ServerResponse, next: () => void): void => {
    // Most requests are model requests: only these paths become Web requests.
    if (/\/(?:agent|agent-identities|user-auth-credential)\//.test(incoming.url ?? ""))
      void serve(incoming, outgoing, next);
    else next();
  };
};
