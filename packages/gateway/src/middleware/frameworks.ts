import type { IncomingHttpHeaders } from "node:http";
import type { Principal } from "../authentication/index.ts";
import { credentialsOf } from "../endpoints/credentials.ts";
import { RequestRejected } from "../errors/index.ts";
import { type Authenticator, type Decision, remember, sourceOfAddress } from "./authenticator.ts";
import { credentialsOfHeaders, type MiddlewareOptions } from "./node.ts";

/** The part of Fastify's request that is used. */
export interface FastifyRequestLike {
  readonly headers: IncomingHttpHeaders;
  /** The remote address, or what `trustProxy` makes of it. */
  readonly ip: string;
  readonly raw: object;
}

/** The part of Fastify's reply that is used. */
export interface FastifyReplyLike {
  readonly code: (status: number) => FastifyReplyLike;
  readonly headers: (headers: Record<string, string>) => FastifyReplyLike;
  readonly send: (body: string) => unknown;
}

/**
 * Returns a hook for Fastify's `onRequest`. `principalOf(request)` says who sent a request that passed.
 *
 * @example
 * ```ts
 * import { fastifyHook, principalOf } from "@agent-auth/gateway/middleware";
 * import { createGateway } from "@agent-auth/gateway/promises";
 *
 * await using gateway = await createGateway();
 * const authenticate = fastifyHook(gateway);
 * // app.addHook("onRequest", authenticate);
 * // app.get("/", async (request) => principalOf(request));
 * ```
 */
export const fastifyHook = (
  authenticator: Authenticator,
  options: MiddlewareOptions<FastifyRequestLike> = {},
) => {
  const { source = ({ ip }: FastifyRequestLike) => sourceOfAddress(ip) } = options;
  return (request: FastifyRequestLike, reply: FastifyReplyLike, done: () => void): void => {
    const settle = (decision: Decision) => {
      if (decision instanceof RequestRejected) {
        const { status, headers, body } = authenticator.reject(decision);
        reply
          .code(status)
          .headers({ ...headers })
          .send(body);
        return;
      }
      remember(request, decision);
      remember(request.raw, decision);
      done();
    };
    const decision = authenticator.decide(credentialsOfHeaders(request.headers, source(request)));
    if (decision instanceof Promise) void decision.then(settle);
    else settle(decision);
  };
};

const webResponse = (authenticator: Authenticator, rejected: RequestRejected): Response => {
  const { status, headers, body } = authenticator.reject(rejected);
  return new Response(body, { status, headers });
};

/** The part of Hono's context that is used. */
export interface HonoContextLike {
  readonly req: { readonly raw: Request };
  readonly set: (key: "principal", value: Principal) => void;
}

/**
 * Returns middleware for Hono. `context.get("principal")` and `principalOf(context.req.raw)` say who sent a request that
 * passed. A Web request does not have its remote address, so limits per source need the option `source`.
 *
 * @example
 * ```ts
 * import { honoMiddleware } from "@agent-auth/gateway/middleware";
 * import { createGateway } from "@agent-auth/gateway/promises";
 *
 * await using gateway = await createGateway();
 * const authenticate = honoMiddleware(gateway);
 * // app.use(authenticate).get("/", (context) => context.json(context.get("principal")));
 * ```
 */
export const honoMiddleware = <Context extends HonoContextLike>(
  authenticator: Authenticator,
  options: MiddlewareOptions<Context> = {},
) => {
  const { source } = options;
  return async (context: Context, next: () => Promise<void>): Promise<Response | undefined> => {
    const { raw } = context.req;
    const decision = await authenticator.decide(credentialsOf(raw, source?.(context)));
    if (decision instanceof RequestRejected) return webResponse(authenticator, decision);
    remember(raw, decision);
    context.set("principal", decision);
    await next();
    return undefined;
  };
};

/**
 * Returns a Web-standard handler that calls `handler` for authenticated requests only, such as for `Deno.serve`, `Bun.serve`
 * or a route of Next.js. Limits per source need the option `source`.
 *
 * @example
 * ```ts
 * import { webHandler } from "@agent-auth/gateway/middleware";
 * import { createGateway } from "@agent-auth/gateway/promises";
 *
 * await using gateway = await createGateway();
 * const handler = webHandler(gateway, (_request, principal) => new Response(principal.kind));
 * (await handler(new Request("https://models.example"))).status; // 401
 * ```
 */
export const webHandler = (
  authenticator: Authenticator,
  handler: (request: Request, principal: Principal) => Response | Promise<Response>,
  options: MiddlewareOptions<Request> = {},
) => {
  const { source } = options;
  return async (request: Request): Promise<Response> => {
    const decision = await authenticator.decide(credentialsOf(request, source?.(request)));
    if (decision instanceof RequestRejected) return webResponse(authenticator, decision);
    remember(request, decision);
    return handler(request, decision);
  };
};
