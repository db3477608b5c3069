import { defaultSocketPath } from "@agent-auth/app-server/server";
import { loadEnvironment } from "@agent-auth/login/config/environment";
import * as Effect from "effect/Effect";
import { connect, type Socket } from "node:net";
import type { Command } from "../../argv/command-spec.ts";
import { CliError } from "../../errors/cli-error.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { reportError } from "../../errors/report.ts";
import { proxySpec } from "./specs.ts";

export interface AppServerProxyOptions {
  /** Default: the socket of CODEX_HOME. */
  readonly socketPath?: string;
}

export const command: Command<typeof proxySpec.flags, AppServerProxyOptions> = {
  spec: proxySpec,
  options: ({ flags }) => ({ ...(flags.sock !== undefined && { socketPath: flags.sock }) }),
};

/** Copies bytes between stdin, stdout and the socket until the server closes the connection. */
export const run = (options: AppServerProxyOptions) =>
  Effect.gen(function* () {
    const path =
      options.socketPath ?? defaultSocketPath(loadEnvironment(process.env).codexHome.path);
    const socket = yield* Effect.acquireRelease(connected(path), (socket) =>
      Effect.sync(() => socket.destroy()),
    );
    yield* copied(socket);
    return exitCode.done;
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.sync(() => reportError("Error", error))),
  );

const connected = (path: string): Effect.Effect<Socket, CliError> =>
  Effect.callback((resume) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once("connect", () => resume(Effect.succeed(socket)));
    socket.once("error", (error: NodeJS.ErrnoException) =>
      resume(
        new CliError({
          code: "CLI_APP_SERVER_SOCKET",
          message: `failed to connect to socket at ${path} (${error.code ?? error.name})`,
          hint: "Start a server with: agent-auth app-server --listen unix://",
        }),
      ),
    );
    return Effect.sync(() => socket.destroy());
  });

/** Milliseconds in which the server can close the connection after stdin has ended. */
const CLOSE_MS = 2_000;

const copied = (socket: Socket): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const done = () => resume(Effect.void);
    socket.on("error", done);
    socket.on("close", done);
    process.stdout.on("error", done);
    process.stdin.once("end", () => setTimeout(done, CLOSE_MS).unref());
    process.stdin.pipe(socket);
    socket.pipe(process.stdout, { end: false });
    // The server has ended the connection: wait until the last bytes are written.
    socket.once("end", () => {
      socket.end();
      if (process.stdout.writableLength === 0) done();
      else process.stdout.once("drain", done);
    });
  });
