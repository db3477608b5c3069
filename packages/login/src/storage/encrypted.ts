import { existsSync } from "node:fs";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { CodexHome } from "../config/codex-home.ts";
import { CredentialCopyRemains, EncryptedStoreNotSupported } from "../errors/store.ts";
import { CredentialStore, logStoreWarning, type StoreWarningOptions } from "./credential-store.ts";

/**
 * A store as it is while Codex keeps the sign-in in its encrypted store (`[features] secret_auth_storage = true`). If
 * that exists, nothing is loaded or saved, because that would make a second credential.
 */
export const blockedByEncryptedStore = (
  store: Layer.Layer<CredentialStore>,
  {
    codexHome,
    onWarning = logStoreWarning,
  }: StoreWarningOptions & { readonly codexHome: CodexHome },
): Layer.Layer<CredentialStore> => {
  const path = join(codexHome.path, "secrets", "codex_auth.age");
  const absent = Effect.suspend(() =>
    existsSync(path) ? Effect.fail(new EncryptedStoreNotSupported({ path })) : Effect.void,
  );
  const reason = `Codex's encrypted store (${path}) holds a sign-in; to remove it, run: codex logout`;
  const warn = onWarning(new CredentialCopyRemains({ where: "what agent-auth stored", reason }));
  return Layer.effect(
    CredentialStore,
    Effect.map(CredentialStore, (inner) => ({
      ...inner,
      load: Effect.andThen(absent, inner.load),
      save: (document, options) => Effect.andThen(absent, inner.save(document, options)),
      checkWritable: Effect.andThen(absent, inner.checkWritable),
      remove: (options) =>
        Effect.tap(
          inner.remove(options),
          Effect.catch(absent, () => warn),
        ),
    })),
  ).pipe(Layer.provide(store));
};
