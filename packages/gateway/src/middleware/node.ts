import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Credentials, Principal } from "../authentication/index.ts";
import { RequestRejected } from "../errors/index.ts";
import {
  type Authenticator,
  type Decision,
  principalOf,
  remember,
  sourceOfAddress,
} from "./authenticator.ts";

/** How middleware reads a request. */
export interface MiddlewareOptions<Request> {
  /**
   * Returns the source of a request, for the limits per source. Default: the remote address. Behind a proxy, that is
   * the address of the proxy, and one attacker would exhaust the limit of all clients: read the header that the proxy
   * sets, or return undefined.
   */
  readonly source?: (request: Request) => string | undefined;
}

const one = (value: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof value === "object" ? value[0] : value;

/** Returns the part of Node's headers that authentication reads. */
export const credentialsOfHeaders = (
  headers: IncomingHttpHeaders,
  source: string | undefined,
): Credentials => ({
  authorization: headers.authorization,
  accountId: one(headers["chatgpt-account-id"]),
  fedramp: one(headers["x-openai-fedramp"]),
  source,
});

const remoteSource = ({ socket }: IncomingMessage): string | undefined =>
  socket.remoteAddress === undefined ? undefined : sourceOfAddress(socket.remoteAddress);

/**
 * Returns middleware for Express and everything else with `(request, response, next)`. It responds to rejected requests and
 * calls `next` for the others; `principalOf(request)` then says who sent it.
 *
 * @example
 * ```ts
 * import { expressMiddleware, principalOf } from "@agent-auth/gateway/middleware";
 * import { createGateway } from "@agent-auth/gateway/promises";
 *
 * await using gateway = await createGateway();
 * const authenticate = expressMiddleware(gateway);
 * // app.use(authenticate).get("/", (request, response) => response.json(principalOf(request)));
 * ```
 */
export const expressMiddleware = (
  authenticator: Authenticator,
  options: MiddlewareOptions<IncomingMessage> = {},
) => {
  const { source = remoteSource } = options;
  return (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
    const settle = (decision: Decision) => {
      if (decision instanceof RequestRejected) {
        const { status, headers, body } = authenticator.reject(decision);
        response.writeHead(status, headers).end(body);
        return;
      }
      remember(request, decision);
      next();
    };
    const decision = authenticator.decide(credentialsOfHeaders(request.headers, source(request)));
    if (decision instanceof Promise) void decision.then(settle);
    else settle(decision);
  };
};

/**
 * Returns a listener for `http.createServer` that calls the handler for authenticated requests only.
 *
 * @example
 * ```ts
 * import { nodeListener } from "@agent-auth/gateway/middleware";
 * import { createGateway } from "@agent-auth/gateway/promises";
 * import { createServer } from "node:http";
 *
 * await using gateway = await createGateway();
 * const server = createServer(
 *   nodeListener(gateway, (_request, response, principal) => response.end(principal.kind)),
 * );
 * ```
 */
export const nodeListener = (
  authenticator: Authenticator,
  handler: (request: IncomingMessage, response: ServerResponse, principal: Principal) => unknown,
  options: MiddlewareOptions<IncomingMessage> = {},
) => {
  const authenticate = expressMiddleware(authenticator, options);
  return (request: IncomingMessage, response: ServerResponse): void =>
    authenticate(request, response, () => void handler(request, response, principalOf(request)));
};
