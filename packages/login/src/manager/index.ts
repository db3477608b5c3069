import * as Context from "effect/Context";
import * as Layer from "effect/Layer";
import type { HttpTransport } from "@agent-auth/agent-identity/http";
import type { AuthManagerOptions, AuthManagerShape } from "./types.ts";
import { lazyHttpLayer } from "../http/lazy.ts";
import { makeAuthManager } from "./make.ts";
import { codexHomeOf } from "./open-ephemeral-store.ts";
import type { CredentialStore } from "../storage/index.ts";
import { layer as configuredLayer } from "../storage/configured.ts";
import type { HomeLock } from "../storage/lock/index.ts";

export type {
  AuthManagerOptions,
  AuthManagerShape,
  ChatgptTokens,
  ExternalAuthProvider,
  ExternalTokens,
  LogoutResult,
  RefreshReason,
  SavedSignIn,
} from "./types.ts";

/**
 * The one place that a program asks for its credential. Everything that shares a manager shares its loads,
 * its agent task and its refreshes; managers of other processes that share the CODEX_HOME share the refreshes.
 */
export class AuthManager extends Context.Service<AuthManager, AuthManagerShape>()(
  "@agent-auth/login/manager",
) {}

/** A manager over the given store, lock and transport. */
export const layerNoDeps = (
  options: AuthManagerOptions,
): Layer.Layer<AuthManager, never, CredentialStore | HomeLock | HttpTransport> =>
  Layer.effect(AuthManager, makeAuthManager(options));

/**
 * The usual manager: over the configured store and the lock of CODEX_HOME, with undici for what has to be sent. Building
 * it never fails; what it meets is the error of `current`. undici, the lock and everything that agent identities need
 * are loaded when they are needed.
 */
export const layer = (options: AuthManagerOptions): Layer.Layer<AuthManager> =>
  layerNoDeps(options).pipe(Layer.provide([storeLayer(options), lazyHttpLayer(options)]));

const storeLayer = (options: AuthManagerOptions) =>
  configuredLayer({ mode: options.config.credentialsStore, codexHome: codexHomeOf(options) });
