import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
  unlinkSync,
} from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { dirname, join, resolve } from "node:path";
import { isMainThread } from "node:worker_threads";
import { describeSystemError } from "@agent-auth/login/storage/fs";
import { controlOf } from "@agent-auth/login/storage/privilege";
import * as Effect from "effect/Effect";
import * as Schedule from "effect/Schedule";
import { ControlSocketInUse, ListenFailed } from "../errors/listener.ts";
import { controlFolderName } from "./socket-path.ts";

const lockName = "app-server-startup.lock";

/** The longest path that fits into the kernel's address structure, without its terminating zero. */
const MAX_PATH_BYTES = process.platform === "darwin" ? 103 : 107;

/**
 * Lets the server listen on a Unix socket that only this user can open (0600, in a folder that others cannot write to). A
 * socket that a dead server left behind is replaced. Servers that start at the same time exclude each other by a lock file
 * beside the socket, if the optional package koffi is installed. Returns the absolute path.
 */
export const bindUnixSocket = Effect.fnUntraced(function* (server: Server, given: string) {
  const path = resolve(given);
  const failed = (reason: string) => new ListenFailed({ address: `unix://${path}`, reason });
  const attempt = <A>(body: () => A) =>
    Effect.try({
      try: body,
      catch: (error) =>
        error instanceof ListenFailed ? error : failed(describeSystemError(error).reason),
    });
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    return yield* failed(`the path is longer than ${MAX_PATH_BYTES} bytes`);
  yield* attempt(() => {
    const reason = prepareFolder(dirname(path));
    if (reason !== undefined) throw failed(reason);
  });
  yield* Effect.scoped(
    Effect.gen(function* () {
      yield* startupLock(path);
      if (yield* isAbandoned(path)) yield* attempt(() => unlinkSync(path));
      yield* listening(server, path);
      yield* attempt(() => {
        if (!isMainThread) chmodSync(path, 0o600);
        const { mode, uid } = lstatSync(path);
        const isPrivate = (mode & 0o077) === 0 && uid === (process.geteuid?.() ?? uid);
        if (!isPrivate && process.platform !== "win32")
          throw failed("the file system does not keep its permissions");
      });
    }),
  );
  return path;
});

/**
 * Creates the folder of a socket, 0700. Returns what is wrong with one that exists. Root neither creates nor changes
 * anything on a path that another user controls: a link could lead to any folder, and that user could put another socket
 * in its place.
 */
const prepareFolder = (folder: string): string | undefined => {
  const [stranger] = controlOf(folder).uids;
  if (stranger !== undefined) return `this process is root, and user ${stranger} controls the path`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (process.platform === "win32") return undefined;
  const { mode, uid } = statSync(folder);
  const isOwn = uid === process.geteuid?.();
  if (!isOwn && uid !== 0) return "its folder belongs to another user";
  if (isOwn && folder.endsWith(`/${controlFolderName}`) && (mode & 0o077) !== 0)
    chmodSync(folder, 0o700);
  else if ((mode & 0o022) !== 0) return "other users can write to its folder";
  return undefined;
};

/** Holds Codex's lock file until the scope closes, waiting for another server that is starting. */
const startupLock = (path: string) =>
  Effect.gen(function* () {
    const tryFlock = yield* Effect.promise(loadFlock);
    if (tryFlock === undefined) return;
    const lock = join(dirname(path), lockName);
    const fd = yield* Effect.acquireRelease(
      Effect.try({
        try: () =>
          openSync(lock, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600),
        catch: (error) => {
          const { reason, systemCode } = describeSystemError(error);
          const why = systemCode === "ELOOP" ? "it is a symbolic link" : reason;
          return new ListenFailed({ address: `unix://${path}`, reason: `${lock}: ${why}` });
        },
      }),
      (fd) => Effect.sync(() => closeSync(fd)),
    );
    yield* Effect.retry(
      Effect.suspend(() =>
        tryFlock(fd) === "busy" ? new ControlSocketInUse({ path }) : Effect.void,
      ),
      { schedule: Schedule.spaced(50), times: 100 },
    );
  });

const loadFlock = async () =>
  (await (await import("@agent-auth/login/storage/libc")).libc)?.tryFlock;

/**
 * Whether the path is a socket on which no process listens. Codex leaves a link if it keeps its socket elsewhere. Fails if
 * a server answers, or if the path is something else.
 */
const isAbandoned = (path: string): Effect.Effect<boolean, ControlSocketInUse | ListenFailed> =>
  Effect.callback((resume) => {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return resume(Effect.succeed(false));
    if (!stats.isSocket() && !stats.isSymbolicLink()) return resume(notASocket(path));
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resume(new ControlSocketInUse({ path }));
    });
    probe.once("error", (error: NodeJS.ErrnoException) => {
      const isDead = error.code === "ECONNREFUSED" || error.code === "ENOENT";
      resume(
        isDead
          ? Effect.succeed(true)
          : error.code === "ENOTSOCK"
            ? notASocket(path)
            : new ControlSocketInUse({ path }),
      );
    });
    return Effect.sync(() => probe.destroy());
  });

const notASocket = (path: string) =>
  new ListenFailed({ address: `unix://${path}`, reason: "the path exists and is not a socket" });

const listening = (server: Server, path: string) =>
  Effect.callback<void, ControlSocketInUse | ListenFailed>((resume) => {
    const fail = (error: NodeJS.ErrnoException) =>
      resume(
        error.code === "EADDRINUSE"
          ? new ControlSocketInUse({ path })
          : new ListenFailed({
              address: `unix://${path}`,
              reason: describeSystemError(error).reason,
            }),
      );
    server.once("error", fail);
    server.once("listening", () => {
      server.off("error", fail);
      // A later connection that cannot be accepted must not end the process.
      server.on("error", () => {});
      resume(Effect.void);
    });
    // The socket is bound within this call, so other users can never open it. A worker thread cannot set the mask of the
    // process; it changes the mode of the socket afterwards.
    const umask = isMainThread ? process.umask(0o177) : undefined;
    try {
      server.listen(path);
    } finally {
      if (umask !== undefined) process.umask(umask);
    }
  });
