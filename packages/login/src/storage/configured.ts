import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type {
  CredentialsStoreMode,
  CredentialStore,
  StoreWarningOptions,
} from "./credential-store.ts";
import type { CodexHome } from "../config/environment.ts";
import { HomeLock, layer as homeLockLayer } from "./lock/index.ts";

export interface ConfiguredStoreOptions extends StoreWarningOptions {
  /** `cli_auth_credentials_store`. */
  readonly mode: CredentialsStoreMode;
  readonly codexHome: CodexHome;
  /** `features.secret_auth_storage`: Codex's encrypted store, if it exists, is used instead. Default false. */
  readonly secretAuthStorage?: boolean;
  /** The configuration names a shared store, which this layer does not open: every operation fails. Default false. */
  readonly isShared?: boolean;
  /** Milliseconds to wait for another process that holds the home lock. Default 60000. */
  readonly maxLockWaitMs?: number;
}

/**
 * The store that the configuration names, with the lock that belongs to it. The code of the other stores is not loaded.
 *
 * @example
 * ```ts
 * import { CredentialStore } from "@agent-auth/login/storage";
 * import { layer } from "@agent-auth/login/storage/configured";
 * import * as Effect from "effect/Effect";
 * import * as Option from "effect/Option";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const codexHome = { path: mkdtempSync(join(tmpdir(), "codex-home-")), explicit: true };
 * const load = CredentialStore.use((store) => store.load);
 * const found = await Effect.runPromise(Effect.provide(load, layer({ mode: "file", codexHome })));
 * console.log(Option.isNone(found)); // true
 * ```
 */
export const layer = (options: ConfiguredStoreOptions): Layer.Layer<CredentialStore | HomeLock> =>
  Layer.merge(Layer.unwrap(Effect.promise(() => loadConfigured(options))), lockLayer(options));

const lockLayer = (options: ConfiguredStoreOptions): Layer.Layer<HomeLock> =>
  options.mode === "ephemeral"
    ? HomeLock.layerMemory
    : homeLockLayer({
        codexHome: options.codexHome,
        ...(options.maxLockWaitMs === undefined ? {} : { maxWaitMs: options.maxLockWaitMs }),
      });

const loadConfigured = async (
  options: ConfiguredStoreOptions,
): Promise<Layer.Layer<CredentialStore>> => {
  if (options.isShared === true) return (await import("./unopened.ts")).unopenedStore;
  const store = await loadStore(options);
  if (options.secretAuthStorage !== true) return store;
  return (await import("./encrypted.ts")).blockedByEncryptedStore(store, options);
};

const loadStore = async (
  options: ConfiguredStoreOptions,
): Promise<Layer.Layer<CredentialStore>> => {
  // Without a CODEX_HOME there is no keyring entry for it; the file store fails with the reason.
  const hasHome = options.codexHome.notFound === undefined;
  switch (hasHome || options.mode === "ephemeral" ? options.mode : "file") {
    case "file":
      return (await import("./file.ts")).layer(options);
    case "keyring":
      return (await import("./keyring.ts")).layer(options);
    case "auto":
      return (await import("./auto.ts")).layer(options);
    case "ephemeral":
      return (await import("./ephemeral.ts")).layer;
  }
};
