import { lstatSync, statSync, unlinkSync } from "node:fs";
import type { Server } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { boundPort } from "@agent-auth/agent-identity/http/bound-port";
import * as Effect from "effect/Effect";
import { CliError } from "../errors/cli-error.ts";
import { rootCreationProblem } from "./root-creation-problem.ts";
import type { ListenAddress } from "./request-guard.ts";

/**
 * Starts to listen on a port of 127.0.0.1 (0: any free one), or on a Unix socket that only this user can open. Returns
 * the address. A socket file that a dead proxy left behind is replaced.
 */
export const listenOn = (
  server: Server,
  address: ListenAddress,
): Effect.Effect<ListenAddress, CliError> =>
  "port" in address
    ? listenOnPort(server, address.port)
    : listenOnSocket(server, address.socketPath);

const listenOnPort = (server: Server, port: number): Effect.Effect<ListenAddress, CliError> =>
  Effect.map(
    listening(
      server,
      () => server.listen(port, "127.0.0.1"),
      (error) =>
        new CliError({
          code: "CLI_PORT",
          message: `cannot listen on 127.0.0.1:${port} (${error.code ?? error.name})`,
          hint: "Choose another port with --port, or leave it out for any free one.",
        }),
    ),
    () => ({ port: boundPort(server) }),
  );

const listenOnSocket = (
  server: Server,
  socketPath: string,
): Effect.Effect<ListenAddress, CliError> =>
  Effect.gen(function* () {
    yield* Effect.try({
      try: () => checkFolder(socketPath),
      catch: (error) => (error instanceof CliError ? error : socketFailed(socketPath, error)),
    });
    if (yield* isAbandoned(socketPath))
      yield* Effect.try({
        try: () => unlinkSync(socketPath),
        catch: (error) => socketFailed(socketPath, error),
      });
    yield* listening(
      server,
      () => {
        // Binding happens within this call, so the file is never open to others, not even for a moment.
        const umask = process.umask(0o177);
        try {
          server.listen(socketPath);
        } finally {
          process.umask(umask);
        }
      },
      (error) => socketFailed(socketPath, error),
    );
    return { socketPath };
  });

/** Throws if other users can write to the folder, because they could replace the socket with their own. */
const checkFolder = (socketPath: string): void => {
  const reason = rootCreationProblem(socketPath);
  if (reason !== undefined)
    throw new CliError({
      code: "CLI_PROXY_SOCKET",
      message: `cannot listen on ${socketPath}: ${reason}`,
      hint: "Choose a folder that only you can write to.",
    });
  const { uid, mode } = statSync(dirname(socketPath));
  const isOwn = process.getuid === undefined || uid === process.getuid() || uid === 0;
  const isShared = (mode & 0o022) !== 0 && process.platform !== "win32";
  if (isOwn && !isShared) return;
  throw new CliError({
    code: "CLI_PROXY_SOCKET",
    message: `other users can write to the folder of ${socketPath}`,
    hint: "Choose a folder that only you can write to.",
  });
};

/** Whether the path is a socket on which no process listens. */
const isAbandoned = (socketPath: string): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    if (lstatSync(socketPath, { throwIfNoEntry: false })?.isSocket() !== true)
      return resume(Effect.succeed(false));
    const probe = connect(socketPath);
    const answer = (isDead: boolean) => {
      probe.destroy();
      resume(Effect.succeed(isDead));
    };
    probe.once("connect", () => answer(false));
    probe.once("error", (error: NodeJS.ErrnoException) => answer(error.code === "ECONNREFUSED"));
    return Effect.sync(() => probe.destroy());
  });

const socketFailed = (socketPath: string, error: unknown) => {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return new CliError({
    code: "CLI_PROXY_SOCKET",
    message: `cannot listen on ${socketPath} (${code})`,
    hint: "Choose a path that does not exist, in a folder that you own.",
  });
};

const listening = (
  server: Server,
  start: () => void,
  failure: (error: NodeJS.ErrnoException) => CliError,
): Effect.Effect<void, CliError> =>
  Effect.callback<void, CliError>((resume) => {
    // The listener stays: a later connection that cannot be accepted must not end the process.
    server.on("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(failure(error))));
    server.once("listening", () => resume(Effect.void));
    start();
  });
