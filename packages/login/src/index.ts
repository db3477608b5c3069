export * from "./auth-manager.ts";
export type * from "./credential.ts";
export * from "./errors.ts";
