/** The light doors in one place. Undici and the sealed box stay behind their own: see the README. */
export * from "./agent-registration.ts";
export * from "./assertion.ts";
export * from "./assertion-verifier.ts";
export * from "./biscuit.ts";
export * from "./errors.ts";
export * from "./http-transport.ts";
export * from "./jwks.ts";
export { type CachedJwks, JwksCache } from "./jwks-cache.ts";
export * from "./jwt.ts";
export * from "./keys.ts";
export * from "./plan.ts";
export * from "./record.ts";
export * from "./task.ts";
export * from "./urls.ts";
