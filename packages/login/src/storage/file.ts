import { existsSync } from "node:fs";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { type CodexHome, codexHomeProblem } from "../config/codex-home.ts";
import { type StoreError, StoreUnreadable } from "../errors/store.ts";
import { parseAuthJson } from "./auth-json/index.ts";
import {
  CredentialStore,
  logStoreWarning,
  type StoredDocument,
  type StoreImplementation,
  type StoreSource,
  type StoreWarningOptions,
} from "./credential-store.ts";
import { withContentVersion } from "./fingerprint.ts";
import { readSmallFile } from "./fs/read.ts";
import { makeCredentialStore } from "./pending-tokens.ts";

export interface FileStoreOptions extends StoreWarningOptions {
  readonly codexHome: CodexHome;
}

/**
 * The store in `$CODEX_HOME/auth.json` (docs/protocol.md §2). The file has mode 0600 and is replaced atomically and
 * durably. A symbolic link is followed. A hard-linked or read-only file is not written, and only a regular file is
 * read. A file that is a mount point is written in place. `save` and `remove` also take Codex's lock beside the file.
 *
 * @example
 * ```ts
 * import { CredentialStore } from "@agent-auth/login/storage";
 * import { layer } from "@agent-auth/login/storage/file";
 * import * as Effect from "effect/Effect";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const codexHome = { path: mkdtempSync(join(tmpdir(), "codex-home-")), explicit: true };
 * const load = CredentialStore.use((store) => store.load);
 * await Effect.runPromise(Effect.provide(load, layer({ codexHome }))); // Option.none()
 * ```
 */
export const layer = (options: FileStoreOptions): Layer.Layer<CredentialStore> =>
  Layer.sync(CredentialStore, () => makeCredentialStore(makeFileStore(options)));

/**
 * Returns the same store as a value, for stores that combine several stores.
 *
 * @example
 * ```ts
 * import { makeFileStore } from "@agent-auth/login/storage/file";
 * import * as Effect from "effect/Effect";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const codexHome = { path: mkdtempSync(join(tmpdir(), "codex-home-")), explicit: true };
 * const store = makeFileStore({ codexHome });
 * await Effect.runPromise(store.load); // Option.none()
 * ```
 */
export const makeFileStore = ({
  codexHome,
  onWarning = logStoreWarning,
}: FileStoreOptions): StoreImplementation => {
  const path = join(codexHome.path, "auth.json");
  const source: StoreSource = { _tag: "File", path };
  return {
    describe: { mode: "file", places: [source], isPersistent: true },
    load: loadFile(path, codexHome, source),
    save: (document, options) =>
      Effect.flatMap(changes, ({ saveAuthFile }) =>
        Effect.as(saveAuthFile(path, codexHome, document, options?.expected), source),
      ),
    remove: (options) =>
      Effect.suspend(() => {
        const problem = codexHomeProblem(codexHome);
        if (problem !== undefined) return Effect.fail(problem);
        return existsSync(codexHome.path)
          ? Effect.flatMap(changes, ({ removeAuthFile }) =>
              removeAuthFile(path, onWarning, options?.expected),
            )
          : Effect.succeed(false);
      }),
    checkWritable: Effect.flatMap(changes, ({ checkAuthFile }) => checkAuthFile(path, codexHome)),
  };
};

const changes = Effect.promise(() => import("./auth-file.ts"));

const loadFile = (
  path: string,
  home: CodexHome,
  source: StoreSource,
): Effect.Effect<Option.Option<StoredDocument>, StoreError> =>
  Effect.suspend((): Effect.Effect<Option.Option<StoredDocument>, StoreError> => {
    let bytes: Uint8Array | undefined;
    try {
      bytes = readSmallFile(path);
    } catch (error) {
      const problem = codexHomeProblem(home);
      if (problem !== undefined) return Effect.fail(problem);
      return error instanceof StoreUnreadable ? Effect.fail(error) : Effect.die(error);
    }
    if (bytes !== undefined)
      return Effect.map(parseAuthJson(bytes, path), (document) =>
        Option.some(withContentVersion(document, source, bytes)),
      );
    const problem = codexHomeProblem(home);
    return problem === undefined ? Effect.succeedNone : Effect.fail(problem);
  });
