import type { AuthManager, AuthManagerOptions } from "@agent-auth/login/auth-manager";
import * as Effect from "effect/Effect";
import * as ManagedRuntime from "effect/ManagedRuntime";

export interface OpenedManager {
  readonly manager: AuthManager["Service"];
  readonly close: () => Promise<void>;
}

/** An auth manager over what is configured. Nothing is loaded before it is first asked. */
export const openManager = async (options: AuthManagerOptions): Promise<OpenedManager> => {
  const { AuthManager, layer } = await import("@agent-auth/login/auth-manager");
  const runtime = ManagedRuntime.make(layer({ ...options, loadAtStart: false }));
  const manager = await runtime.runPromise(Effect.map(AuthManager, (service) => service));
  return { manager, close: () => runtime.dispose() };
};
