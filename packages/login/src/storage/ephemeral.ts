import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { canonicalCodexHome } from "../config/codex-home.ts";
import type { AuthDocument } from "./auth-json/index.ts";
import { CredentialStore, type StoreSource } from "./index.ts";
import type { CodexHome } from "../config/environment.ts";

export interface EphemeralStoreOptions {
  /** Only its path counts: everything in this process that names the same folder shares one document. */
  readonly codexHome: CodexHome;
}

const documents = new Map<string, AuthDocument>();
const source: StoreSource = { _tag: "Ephemeral" };

/** The store in the memory of this process. Touches no disk, and never fails. */
export const layer = (options: EphemeralStoreOptions): Layer.Layer<CredentialStore> =>
  Layer.sync(CredentialStore, () => {
    const key = canonicalCodexHome(options.codexHome);
    return {
      describe: { mode: "ephemeral", places: [source], isPersistent: false },
      load: Effect.sync(() =>
        Option.map(Option.fromUndefinedOr(documents.get(key)), (document) => ({
          document,
          source,
        })),
      ),
      save: (document) => Effect.sync(() => (documents.set(key, document), source)),
      remove: Effect.sync(() => documents.delete(key)),
      checkWritable: Effect.void,
    };
  });
