/** The modules that load quickly. SQL, Redis and the Promise API are separate modules, see the README. */
export * from "./authentication/index.ts";
export * from "./endpoints/index.ts";
export * from "./errors/index.ts";
export * from "./issuer/index.ts";
export * from "./metrics/index.ts";
export * from "./middleware/index.ts";
export * from "./registry/index.ts";
export * from "./replay/index.ts";
