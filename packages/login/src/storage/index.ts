export * from "./credential-store.ts";
export { makeCredentialStore } from "./pending-tokens.ts";
