import { existsSync } from "node:fs";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { codexHomeProblem, prepareCodexHome } from "../config/codex-home.ts";
import { contentOf, ROOM_FOR_TOKENS } from "./fs/content.ts";
import { readSmallFile } from "./fs/read.ts";
import { removeAuthFile } from "./fs/remove.ts";
import { probeFolder, replaceFile } from "./fs/replace.ts";
import { describeSystemError } from "./fs/system-error.ts";
import { assertReplaceable, type AuthFileTarget, resolveTarget } from "./fs/target.ts";
import { sweepTemporaries } from "./fs/temporary.ts";
import { inPinnedFolder } from "./fs/trust.ts";
import { type AuthDocument, parseAuthJson } from "./auth-json/index.ts";
import {
  CredentialStore,
  logStoreWarning,
  type StoredDocument,
  type StoreImplementation,
  type StoreSource,
  type StoreWarningOptions,
} from "./credential-store.ts";
import { makeCredentialStore } from "./pending-tokens.ts";
import type { CodexHome } from "../config/environment.ts";
import { type CodexHomeUnusable } from "../errors/config.ts";
import {
  type StoreError,
  StoreUnreadable,
  StoreUnwritable,
  type StoreWarning,
} from "../errors/store.ts";
import { acquireTargetLock } from "./lock/flock.ts";

export interface FileStoreOptions extends StoreWarningOptions {
  readonly codexHome: CodexHome;
}

/**
 * The store in `$CODEX_HOME/auth.json` (docs/protocol.md §2): mode 0600, replaced whole or not at all and durably,
 * written through a symbolic link. A hard-linked or read-only file is refused, and only a regular file is read. `save`
 * and `remove` also take Codex's lock beside the file.
 */
export const layer = (options: FileStoreOptions): Layer.Layer<CredentialStore> =>
  Layer.sync(CredentialStore, () => makeCredentialStore(makeFileStore(options)));

/** The same store as a value, for stores that are made of others. */
export const makeFileStore = ({
  codexHome,
  onWarning = logStoreWarning,
}: FileStoreOptions): StoreImplementation => {
  const path = join(codexHome.path, "auth.json");
  const source: StoreSource = { _tag: "File", path };
  return {
    describe: { mode: "file", places: [source], isPersistent: true },
    load: loadFile(path, codexHome, source),
    save: (document) => Effect.as(saveFile(path, codexHome, document), source),
    remove: Effect.suspend(() => {
      const problem = codexHomeProblem(codexHome);
      if (problem !== undefined) return Effect.fail(problem);
      return existsSync(codexHome.path) ? removeFile(path, onWarning) : Effect.succeed(false);
    }),
    checkWritable: Effect.andThen(checkFile(path, codexHome), checkRoom(path)),
  };
};

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
        Option.some({ document, source }),
      );
    const problem = codexHomeProblem(home);
    return problem === undefined ? Effect.succeedNone : Effect.fail(problem);
  });

const writing =
  (path: string, operation: StoreUnwritable["operation"]) =>
  (error: unknown): StoreUnwritable =>
    error instanceof StoreUnwritable
      ? error
      : new StoreUnwritable({ where: path, operation, ...describeSystemError(error) });

const prepare = (
  path: string,
  home: CodexHome,
): Effect.Effect<AuthFileTarget, StoreUnwritable | CodexHomeUnusable> =>
  Effect.andThen(
    prepareCodexHome(home, (_, error) => writing(path, "save")(error)),
    Effect.tryPromise({
      try: async () => {
        const target = await resolveTarget(path, "save");
        await assertReplaceable(target, "save");
        return target;
      },
      catch: writing(path, "save"),
    }),
  );

const saveFile = (
  path: string,
  home: CodexHome,
  document: AuthDocument,
): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const target = yield* prepare(path, home);
    const replace = Effect.tryPromise({
      try: () =>
        inPinnedFolder(target, "save", async (pinned) => {
          await assertReplaceable(pinned, "save");
          const content = contentOf(document, target.path);
          await sweepTemporaries(pinned.path);
          await replaceFile(pinned, content);
        }),
      catch: writing(path, "save"),
    });
    yield* Effect.scoped(
      Effect.andThen(acquireTargetLock(target.path), Effect.uninterruptible(replace)),
    );
  });

const removeFile = (
  path: string,
  warn: (warning: StoreWarning) => Effect.Effect<void>,
): Effect.Effect<boolean, StoreError> =>
  Effect.gen(function* () {
    const catching = writing(path, "remove");
    const target = yield* Effect.tryPromise({
      try: () => resolveTarget(path, "remove"),
      catch: catching,
    });
    const remove = Effect.uninterruptible(
      Effect.tryPromise({ try: () => removeAuthFile(path, { isAuthJson }), catch: catching }),
    );
    // No lock file is created beside a file that is not an auth.json.
    const isAuthFile = target.stats !== undefined && (!target.isLinked || isAuthJson(target.path));
    if (!isAuthFile) return yield* remove;
    // Nobody who holds the lock can prevent the removal of a credential.
    const lock = Effect.catch(acquireTargetLock(target.path), warn);
    return yield* Effect.scoped(Effect.andThen(lock, remove));
  });

/** Whether a file reads as an auth.json and has a value that one would have. */
const isAuthJson = (path: string): boolean => {
  const parsed = Effect.runSync(Effect.option(readDocument(path)));
  return Option.isSome(parsed) && Object.keys(parsed.value).some((key) => key !== "unknown");
};

const readDocument = (path: string): Effect.Effect<AuthDocument, StoreError> =>
  Effect.flatMap(
    Effect.try({ try: () => readSmallFile(path), catch: writing(path, "save") }),
    (bytes) => parseAuthJson(bytes ?? "", path),
  );

const checkFile = (path: string, home: CodexHome): Effect.Effect<void, StoreError> =>
  Effect.flatMap(prepare(path, home), (target) =>
    Effect.tryPromise({
      try: () => inPinnedFolder(target, "save", probeFolder),
      catch: writing(path, "save"),
    }),
  );

/** A file that is nearly too large may not be read any more once it holds new tokens. One that does not read is no matter. */
const checkRoom = (path: string): Effect.Effect<void, StoreUnwritable> =>
  Effect.flatMap(
    Effect.option(readDocument(path)),
    Option.match({
      onNone: () => Effect.void,
      onSome: (document) =>
        Effect.try({
          try: () => void contentOf(document, path, ROOM_FOR_TOKENS),
          catch: writing(path, "save"),
        }),
    }),
  );
