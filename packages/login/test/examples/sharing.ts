import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { layerMemory } from "@agent-auth/agent-identity/jwks/cache";
import { AgentTasks } from "@agent-auth/agent-identity/tasks";
import { type AuthManagerOptions, layerNoDeps } from "@agent-auth/login/manager";
import { layer as fileStore } from "@agent-auth/login/storage/file";
import { layer as homeLock } from "@agent-auth/login/storage/lock";
import * as Layer from "effect/Layer";

/** What managers share: a transport, one key set, one task for each agent. */
export const shared = (http: Layer.Layer<HttpTransport>) =>
  Layer.mergeAll(http, layerMemory, Layer.provide(AgentTasks.layer, http));

/** A manager over it, for the CODEX_HOME that `environment` names. */
export const sharingManager = (options: AuthManagerOptions) => {
  const { codexHome } = options.environment;
  const store = fileStore({ codexHome }).pipe(Layer.provideMerge(homeLock({ codexHome })));
  return Layer.provide(layerNoDeps(options), store);
};
