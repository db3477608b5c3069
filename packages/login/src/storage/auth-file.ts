import { existsSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { dirname } from "node:path";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { CodexHome } from "../config/codex-home.ts";
import { prepareCodexHome } from "../config/codex-home.ts";
import {
  CredentialCopyRemains,
  StoreConflict,
  type StoreError,
  StoreUnwritable,
  type StoreWarning,
} from "../errors/store.ts";
import { type AuthDocument, encodeAuthJson, parseAuthJson } from "./auth-json/index.ts";
import { contentVersion } from "./fingerprint.ts";
import { assertOverwritable, overwriteFile } from "./fs/in-place.ts";
import { isInUse, onceNotInUse } from "./fs/in-use.ts";
import { MAX_BYTES, readSmallFile } from "./fs/read.ts";
import {
  PROBE_BYTES,
  probeFolder,
  replaceFile,
  sweepTemporaries,
  syncFolder,
} from "./fs/replace.ts";
import { describeSystemError, systemCodeOf } from "./fs/system-error.ts";
import {
  assertRegularFile,
  assertReplaceable,
  type AuthFileTarget,
  inHeldFolder,
  isMountPoint,
  lstatIfPresent,
  resolveTarget,
} from "./fs/target.ts";
import { acquireTargetLock } from "./lock/flock.ts";
import { createFolder } from "./privilege.ts";

// What the file store does to `auth.json`. Loaded at the first change, not for reading.

type Warn = (warning: StoreWarning) => Effect.Effect<void>;

/**
 * Replaces the file that the path leads to, under Codex's lock for it. Creates the file and its folder. With `expected`,
 * only a file of that version is replaced; `null` expects none.
 */
export const saveAuthFile = (
  path: string,
  home: CodexHome,
  document: AuthDocument,
  expected?: string | null,
): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const target = yield* prepareTarget(path, home);
    const write = attempt(path, "save", () =>
      inHeldFolder(target, "save", async (held) => {
        await assertReplaceable(held);
        assertVersion(held.path, { where: path, operation: "save" }, expected);
        const content = contentOf(document, target.path);
        if (isMountPoint(target.path)) return overwriteFile(held.path, content);
        await sweepTemporaries(held.path);
        await replaceOrOverwrite(held, content);
      }),
    );
    yield* Effect.scoped(Effect.andThen(acquireTargetLock(target), Effect.uninterruptible(write)));
  });

/** Throws `StoreConflict` if the file does not have the expected version. */
const assertVersion = (
  path: string,
  conflict: Pick<StoreConflict, "operation" | "where">,
  expected: string | null | undefined,
): void => {
  if (expected === undefined) return;
  const bytes = readSmallFile(path);
  if ((bytes === undefined ? null : contentVersion(bytes)) !== expected)
    throw new StoreConflict(conflict);
};

/**
 * The rename fails for a mount point that was not recognised, and on Windows while another program has the file open. To lose
 * new tokens would be worse than a write that is not atomic.
 */
const replaceOrOverwrite = async (held: AuthFileTarget, content: string): Promise<void> => {
  try {
    await replaceFile(held, content);
  } catch (error) {
    const systemCode = systemCodeOf(error);
    const isPinned = systemCode === "EBUSY" || isInUse(systemCode);
    if (!isPinned || held.stats === undefined) throw error;
    await overwriteFile(held.path, content);
  }
};

/**
 * Fails if `saveAuthFile` would fail. Changes nothing, but takes the lock beside the file for a moment: a program that
 * holds it for longer than the wait would keep the new tokens from being saved.
 */
export const checkAuthFile = (path: string, home: CodexHome): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const target = yield* prepareTarget(path, home);
    yield* Effect.scoped(acquireTargetLock(target));
    yield* attempt(path, "save", () =>
      inHeldFolder(target, "save", (held) =>
        isMountPoint(target.path) ? assertOverwritable(held.path, PROBE_BYTES) : probeFolder(held),
      ),
    );
    yield* checkRoom(path);
  });

/**
 * Removes the file that the path leads to, and then the path, if that is a link: in the other order, a failure in
 * between would leave a secret that nothing points to. A link to a file that is not an auth.json is removed alone; a
 * link to nothing stays. A mount point cannot be removed and is emptied. False if there is no file.
 */
export const removeAuthFile = (
  path: string,
  warn: Warn,
  expected?: string,
): Effect.Effect<boolean, StoreError> =>
  Effect.gen(function* () {
    const target = yield* attempt(path, "remove", () => resolveTarget(path, "remove"));
    if (!existsSync(dirname(target.path))) return false;
    const isOther = target.isLinked && target.stats !== undefined && !isAuthJson(target.path);
    const remove = Effect.uninterruptible(
      attempt(path, "remove", async () => {
        const isRemoved = await inHeldFolder(target, "remove", async (held) => {
          assertVersion(held.path, { where: path, operation: "remove" }, expected);
          return removeTarget(held, { path: target.path, isOther });
        });
        if (isRemoved && target.isLinked) await removeLink(path);
        return isRemoved;
      }),
    );
    // No lock file is created beside a file that is not an auth.json.
    if (target.stats === undefined || isOther) return yield* remove;
    // A program that holds the lock cannot prevent the removal of a credential.
    const lock = Effect.catch(acquireTargetLock(target), warn);
    const isRemoved = yield* Effect.scoped(Effect.andThen(lock, remove));
    if (isRemoved && target.stats.nlink > 1) {
      const reason = "the file has another name (a hard link), which keeps the credential";
      yield* warn(new CredentialCopyRemains({ where: target.path, reason }));
    }
    return isRemoved;
  });

const removeTarget = async (
  held: AuthFileTarget,
  { isOther, path }: { readonly isOther: boolean; readonly path: string },
): Promise<boolean> => {
  assertRegularFile(held, "remove");
  if (isOther) return true;
  await sweepTemporaries(held.path);
  if (held.stats === undefined) return false;
  try {
    await onceNotInUse(() => unlink(held.path));
    await syncFolder(dirname(held.path));
  } catch (error) {
    if (systemCodeOf(error) !== "EBUSY" && !isMountPoint(path)) throw error;
    await overwriteFile(held.path, "{}");
  }
  return true;
};

const removeLink = async (path: string): Promise<void> => {
  const target = await resolveTarget(dirname(path), "remove");
  const link = { ...target, path: `${target.path}/auth.json` };
  await inHeldFolder(link, "remove", async (held) => {
    await onceNotInUse(() => unlink(held.path));
    await syncFolder(dirname(held.path));
  });
};

/** Whether a file can be parsed as an auth.json and has at least one known member. */
const isAuthJson = (path: string): boolean => {
  const parsed = Effect.runSync(Effect.option(readDocument(path)));
  return Option.isSome(parsed) && Object.keys(parsed.value).some((key) => key !== "unknown");
};

const readDocument = (path: string): Effect.Effect<AuthDocument, StoreError> =>
  Effect.flatMap(
    Effect.try({ try: () => readSmallFile(path), catch: unwritable(path, "save") }),
    (bytes) => parseAuthJson(bytes ?? "", path),
  );

const prepareTarget = (path: string, home: CodexHome): Effect.Effect<AuthFileTarget, StoreError> =>
  Effect.andThen(
    prepareCodexHome(home, (_, error) => unwritable(path, "save")(error)),
    attempt(path, "save", async () => {
      const target = await resolveTarget(path, "save");
      if (target.stats === undefined && (await lstatIfPresent(dirname(target.path))) === undefined)
        createFolder(dirname(target.path)); // of a link whose folder is missing
      await assertReplaceable(target);
      return target;
    }),
  );

/** By how many bytes new tokens may be larger than the old ones. */
const ROOM_FOR_TOKENS = 64 * 1024;

/**
 * A file that is nearly too large could not be read any more once it holds new tokens. One that does not parse is
 * replaced anyway.
 */
const checkRoom = (path: string): Effect.Effect<void, StoreError> =>
  Effect.flatMap(
    Effect.option(readDocument(path)),
    Option.match({
      onNone: () => Effect.void,
      onSome: (document) =>
        Effect.try({
          try: () => void contentOf(document, path, ROOM_FOR_TOKENS),
          catch: unwritable(path, "save"),
        }),
    }),
  );

/**
 * The text to write for a document: pretty, or without white space if it would be larger than what is read back. Throws
 * `StoreUnwritable` if even that, with the given reservedBytes, is too large.
 */
const contentOf = (document: AuthDocument, path: string, reservedBytes = 0): string => {
  for (const layout of ["pretty", "compact"] as const) {
    const content = encodeAuthJson(document, { layout });
    if (Buffer.byteLength(content) + reservedBytes <= MAX_BYTES) return content;
  }
  const reason = "the content would be larger than 1 MiB, the limit for reading it";
  throw new StoreUnwritable({ where: path, operation: "save", reason });
};

const attempt = <A>(
  path: string,
  operation: StoreUnwritable["operation"],
  run: () => Promise<A>,
): Effect.Effect<A, StoreConflict | StoreUnwritable> =>
  Effect.tryPromise({ try: run, catch: failure(path, operation) });

const failure =
  (path: string, operation: StoreUnwritable["operation"]) =>
  (error: unknown): StoreConflict | StoreUnwritable =>
    error instanceof StoreConflict ? error : unwritable(path, operation)(error);

const unwritable =
  (path: string, operation: StoreUnwritable["operation"]) =>
  (error: unknown): StoreUnwritable =>
    error instanceof StoreUnwritable
      ? error
      : new StoreUnwritable({ where: path, operation, ...describeSystemError(error) });
