import { statSync, watch } from "node:fs";
import { dirname } from "node:path";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Latch from "effect/Latch";
import * as Option from "effect/Option";
import * as References from "effect/References";
import * as Result from "effect/Result";
import type * as Scope from "effect/Scope";
import * as Stream from "effect/Stream";
import type { CodexHome } from "../config/environment.ts";
import type { LoginError } from "../errors/index.ts";
import { systemCodeOf } from "../storage/fs/system-error.ts";
import type { CredentialStore } from "../storage/index.ts";

/** A file is checked this often, and at once if the system reports changes of its folder. */
const CHECK_FILE_EVERY_MS = 1_000;
/** A keyring, or another store, is read this often, because only its content shows a change. */
const READ_EVERY_MS = 5_000;
/** A store that reports its changes. */
const READ_TO_BE_SURE_MS = 60_000;
/** A keyring that did not respond may have asked the user to unlock it. */
const READ_AGAIN_AFTER_FAILURE_MS = 60_000;
const READ_WITHIN_MS = 2_000;
const MAX_RELOAD_PAUSE_MS = 30_000;

export interface FollowStoreOptions {
  readonly store: CredentialStore["Service"];
  readonly codexHome: CodexHome;
  readonly reload: Effect.Effect<unknown, LoginError>;
}

/**
 * Looks at the store, and returns an endless effect that loads the credential again after another program has changed
 * the store. A load that fails is repeated, with growing pauses, until it succeeds or the store changes.
 */
export const followStore = Effect.fnUntraced(function* (
  options: FollowStoreOptions,
): Effect.fn.Return<Effect.Effect<never>, never, Scope.Scope> {
  const { reload, store } = options;
  const files = store.describe.places.flatMap((it) => (it._tag === "File" ? [it.path] : []));
  const hasOthers = files.length < store.describe.places.length;
  const changed = yield* Latch.make();
  const told = { isNews: false };
  const content = hasOthers
    ? yield* contentStamp(yield* readerOf(options), {
        told,
        everyMs: store.changes === undefined ? READ_EVERY_MS : READ_TO_BE_SURE_MS,
      })
    : Effect.succeed("");
  const stamp = Effect.map(content, (text) => [...files.map(fileStamp), text].join(" "));
  yield* watchFolders(files, changed);
  if (store.changes !== undefined) {
    yield* Effect.forkScoped(
      Stream.runForEach(store.changes, () =>
        Effect.sync(() => {
          told.isNews = true;
          changed.openUnsafe();
        }),
      ),
    );
  }
  const wait = Effect.andThen(
    Effect.raceFirst(Effect.sleep(CHECK_FILE_EVERY_MS), changed.await),
    changed.close,
  );

  let seen = yield* stamp;
  let failures = 0;
  let reloadAtMs = Infinity;
  return Effect.forever(
    Effect.gen(function* () {
      yield* wait;
      const found = yield* stamp;
      const nowMs = yield* Clock.currentTimeMillis;
      if (found === seen && nowMs < reloadAtMs) return;
      if (found !== seen) failures = 0;
      seen = found;
      const loaded = yield* Effect.result(reload);
      failures = Result.isSuccess(loaded) ? 0 : failures + 1;
      const pauseMs = Math.min(500 * 2 ** failures, MAX_RELOAD_PAUSE_MS);
      reloadAtMs = failures === 0 ? Infinity : nowMs + pauseMs;
    }),
  );
});

/** Changes whenever the file is written or replaced; of a link, the file that it leads to. */
const fileStamp = (path: string): string => {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? "" : `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs}`;
  } catch (error) {
    return systemCodeOf(error) ?? "unknown";
  }
};

/** Opens the latch whenever the folder of one of the files reports a change. */
const watchFolders = Effect.fnUntraced(function* (
  files: ReadonlyArray<string>,
  changed: Latch.Latch,
): Effect.fn.Return<void, never, Scope.Scope> {
  for (const folder of new Set(files.map((path) => dirname(path)))) {
    yield* Effect.acquireRelease(
      Effect.sync(() => watchFolder(folder, () => changed.openUnsafe())),
      (watcher) => Effect.sync(() => watcher?.close()),
    );
  }
});

/** `undefined` if the system cannot watch it, or if it does not exist yet; the checks remain. */
const watchFolder = (folder: string, onChange: () => void) => {
  try {
    const watcher = watch(folder, { persistent: false }, onChange);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
};

type Load = CredentialStore["Service"]["load"];

/** An `auto` store falls back to its file, so its keyring is read separately. */
const readerOf = Effect.fnUntraced(function* ({ codexHome, store }: FollowStoreOptions) {
  if (!store.describe.places.some(({ _tag }) => _tag === "Keyring")) return store.load;
  const { makeKeyringStore } = yield* Effect.promise(() => import("../storage/keyring.ts"));
  return makeKeyringStore({ codexHome }).load;
});

interface ContentStampOptions {
  readonly everyMs: number;
  /** Set if the store reported a change: it is read at once. */
  readonly told: { isNews: boolean };
}

/**
 * The version that is stored. A store that cannot be read counts as unchanged: neither a locked keyring nor a database that
 * is down is a logout.
 */
const contentStamp = (load: Load, { everyMs, told }: ContentStampOptions) =>
  Effect.sync(() => {
    let known = "unknown";
    let readAtMs = -Infinity;
    let isDown = false;
    const unavailable: Array<LoginError> = [];
    const read = load.pipe(
      Effect.map((stored) => {
        isDown = false;
        return Option.match(stored, { onNone: () => "nothing", onSome: ({ version }) => version });
      }),
      Effect.catchTag("KeyringUnavailable", (error) => {
        unavailable.push(error);
        return Effect.succeed(undefined);
      }),
      Effect.catchTag("StoreUnavailable", (error) => {
        if (!isDown) unavailable.push(error);
        isDown = true;
        return Effect.succeed(undefined);
      }),
      // A broken credential counts as a change: the reload reports what is wrong with it.
      Effect.catch((error) => Effect.succeed(error.code)),
      Effect.timeoutOrElse({ duration: READ_WITHIN_MS, orElse: () => Effect.succeed(undefined) }),
      Effect.provideService(References.MinimumLogLevel, "None"),
    );
    return Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis;
      const isWaiting = nowMs < readAtMs && readAtMs - nowMs <= READ_AGAIN_AFTER_FAILURE_MS;
      if (isWaiting && !told.isNews) return known;
      told.isNews = false;
      const found = yield* read;
      for (const { code, message } of unavailable.splice(0))
        yield* Effect.logWarning(`${message} (${code})`);
      const pauseMs = isDown ? READ_EVERY_MS : READ_AGAIN_AFTER_FAILURE_MS;
      readAtMs = nowMs + (found === undefined ? pauseMs : everyMs);
      known = found ?? known;
      return known;
    });
  });
