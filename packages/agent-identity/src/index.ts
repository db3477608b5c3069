/** The modules that load quickly. undici and the sealed box are separate modules, see the README. */
export * from "./assertion/index.ts";
export * from "./assertion/verifier.ts";
export * from "./errors/index.ts";
export * from "./http/index.ts";
export { type CachedJwks, JwksCache } from "./jwks/cache.ts";
export * from "./jwks/index.ts";
export * from "./jwt/index.ts";
export * from "./keys/index.ts";
export * from "./record/index.ts";
export * from "./record/plan.ts";
export * from "./registration/biscuit.ts";
export * from "./registration/index.ts";
export * from "./tasks/index.ts";
export * from "./urls/index.ts";
