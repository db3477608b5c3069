import * as Context from "effect/Context";
import * as Layer from "effect/Layer";
import type { HttpTransport } from "@agent-auth/agent-identity/http-transport";
import type { AuthManagerOptions, AuthManagerShape } from "./auth-manager/contract.ts";
import { makeAuthManager } from "./auth-manager/make.ts";
import type { CredentialStore } from "./credential-store.ts";
import type { HomeLock } from "./home-lock.ts";

export type {
  AuthManagerOptions,
  AuthManagerShape,
  ChatgptTokens,
  ExternalAuthProvider,
  ExternalTokens,
  LogoutResult,
  RefreshReason,
  SavedSignIn,
} from "./auth-manager/contract.ts";

/**
 * The one place that a program asks for its credential. Everything that shares a manager shares its loads,
 * its agent task and its refreshes; managers of other processes that share the CODEX_HOME share the refreshes.
 */
export class AuthManager extends Context.Service<AuthManager, AuthManagerShape>()(
  "@agent-auth/login/auth-manager",
) {}

/** A manager over the given store, lock and transport. */
export const layerNoDeps = (
  options: AuthManagerOptions,
): Layer.Layer<AuthManager, never, CredentialStore | HomeLock | HttpTransport> =>
  Layer.effect(AuthManager, makeAuthManager(options));

/** The usual manager: over the configured store, the lock of CODEX_HOME, and undici. */
export declare const layer: (options: AuthManagerOptions) => Layer.Layer<AuthManager>;
