import type { PromiseAuthManager, PromiseAuthProvider } from "@agent-auth/login/promises";

/** Lets an editor supply the tokens: `ask` requests them from it, over any protocol. */
export const borrowFrom = (manager: PromiseAuthManager, ask: PromiseAuthProvider["tokens"]) =>
  manager.setExternalProvider({ name: "the editor", tokens: ask });
