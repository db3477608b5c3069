import type { PromiseAuthManager, PromiseAuthProvider } from "@agent-auth/login/promises";

/** Lets an editor supply the tokens: `ask` puts the question to it, over whatever the two speak. */
export const borrowFrom = (manager: PromiseAuthManager, ask: PromiseAuthProvider["tokens"]) =>
  manager.setExternalProvider({ name: "the editor", tokens: ask });
