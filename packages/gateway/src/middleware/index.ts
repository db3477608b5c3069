/** Middleware for servers. No framework is imported: each function takes what the framework passes. */
export {
  type Authenticator,
  authenticatorOf,
  type Decision,
  principalOf,
  sourceOfAddress,
} from "./authenticator.ts";
export {
  fastifyHook,
  type FastifyReplyLike,
  type FastifyRequestLike,
  type HonoContextLike,
  honoMiddleware,
  webHandler,
} from "./frameworks.ts";
export { expressMiddleware, type MiddlewareOptions, nodeListener } from "./node.ts";
export { serveEndpoints } from "./serve-endpoints.ts";
