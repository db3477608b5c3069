import { statSync, watch } from "node:fs";
import { dirname } from "node:path";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Latch from "effect/Latch";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as References from "effect/References";
import * as Result from "effect/Result";
import type * as Scope from "effect/Scope";
import type { CodexHome } from "../config/environment.ts";
import type { LoginError } from "../errors/index.ts";
import { encodeAuthJson } from "../storage/auth-json/index.ts";
import { fingerprint } from "../storage/fingerprint.ts";
import type { CredentialStore } from "../storage/index.ts";

/** A file is checked this often, and at once if the system reports changes of its folder. */
const CHECK_FILE_EVERY_MS = 1_000;
/** A keyring, or another store, is read this often, because only its content shows a change. */
const READ_EVERY_MS = 5_000;
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
  const content = hasOthers ? yield* contentStamp(yield* readerOf(options)) : Effect.succeed("");
  const stamp = Effect.map(content, (text) => [...files.map(fileStamp), text].join(" "));
  const wait = yield* changeSignal(files);

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
    return error instanceof Error && "code" in error ? String(error.code) : "unknown";
  }
};

/** Ends after a while, or when the folder of one of the files reports a change. */
const changeSignal = Effect.fnUntraced(function* (
  files: ReadonlyArray<string>,
): Effect.fn.Return<Effect.Effect<void>, never, Scope.Scope> {
  const changed = yield* Latch.make();
  for (const folder of new Set(files.map((path) => dirname(path)))) {
    yield* Effect.acquireRelease(
      Effect.sync(() => watchFolder(folder, () => changed.openUnsafe())),
      (watcher) => Effect.sync(() => watcher?.close()),
    );
  }
  return Effect.andThen(
    Effect.raceFirst(Effect.sleep(CHECK_FILE_EVERY_MS), changed.await),
    changed.close,
  );
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

/** An `auto` store falls back to its file, so its keyring is asked by itself. */
const readerOf = Effect.fnUntraced(function* ({ codexHome, store }: FollowStoreOptions) {
  if (!store.describe.places.some(({ _tag }) => _tag === "Keyring")) return store.load;
  const { makeKeyringStore } = yield* Effect.promise(() => import("../storage/keyring.ts"));
  return makeKeyringStore({ codexHome }).load;
});

/** A digest of what is stored. A store that cannot be read counts as unchanged: a locked keyring is not a logout. */
const contentStamp = (load: Load) =>
  Effect.sync(() => {
    let known = "unknown";
    let readAtMs = -Infinity;
    const unavailable: Array<LoginError> = [];
    const read = load.pipe(
      Effect.map(
        Option.match({
          onNone: () => "nothing",
          onSome: ({ document }) => fingerprint(Redacted.make(encodeAuthJson(document))),
        }),
      ),
      Effect.catchTag("KeyringUnavailable", (error) => {
        unavailable.push(error);
        return Effect.succeed(undefined);
      }),
      // A broken credential counts as a change: the reload reports what is wrong with it.
      Effect.catch((error) => Effect.succeed(error.code)),
      Effect.timeoutOrElse({ duration: READ_WITHIN_MS, orElse: () => Effect.succeed(undefined) }),
      Effect.provideService(References.MinimumLogLevel, "None"),
    );
    return Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis;
      if (nowMs < readAtMs && readAtMs - nowMs <= READ_AGAIN_AFTER_FAILURE_MS) return known;
      const found = yield* read;
      for (const { code, message } of unavailable.splice(0))
        yield* Effect.logWarning(`${message} (${code})`);
      readAtMs = nowMs + (found === undefined ? READ_AGAIN_AFTER_FAILURE_MS : READ_EVERY_MS);
      known = found ?? known;
      return known;
    });
  });
