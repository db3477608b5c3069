import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Scope from "effect/Scope";
import {
  listenOnUnixSocket,
  listenOnWebSocket,
  serveStdio,
  type StdioServerOptions,
  type UnixSocketListenerOptions,
  type WebSocketListenerOptions,
} from "../server/index.ts";

/** An open listener. */
export interface Listener extends AsyncDisposable {
  /** Disconnects every client and stops listening. */
  readonly close: () => Promise<void>;
}

/** An Effect context, for example with your loggers and tracer, in which everything runs. */
interface InContext {
  readonly context?: Context.Context<never>;
}

/**
 * Serves clients over WebSockets until it is closed, as `listenOnWebSocket` of `@agent-auth/app-server/server` does.
 * Rejects with a `ListenerError`.
 *
 * @example
 * ```ts
 * import { handleAccountMethods } from "@agent-auth/app-server/methods";
 * import { openAccountService, startWebSocketListener } from "@agent-auth/app-server/promises";
 * import { createHash } from "node:crypto";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const CODEX_HOME = mkdtempSync(join(tmpdir(), "codex-home-"));
 * await using service = await openAccountService({ variables: { CODEX_HOME } });
 * const sha256 = createHash("sha256").update("a-long-random-token").digest();
 * await using listener = await startWebSocketListener({
 *   open: (client) => handleAccountMethods(service, client),
 *   host: "127.0.0.1",
 *   port: 0,
 *   auth: { _tag: "CapabilityToken", sha256 },
 * });
 * console.log(`ws://${listener.address}`);
 * ```
 */
export const startWebSocketListener = (
  options: WebSocketListenerOptions & InContext,
): Promise<Listener & { readonly address: string; readonly port: number }> =>
  opened(listenOnWebSocket(options), options);

/**
 * Serves clients over a Unix socket until it is closed, as `listenOnUnixSocket` of `@agent-auth/app-server/server` does.
 * Rejects with a `ListenerError`.
 *
 * @example
 * ```ts
 * import { handleAccountMethods } from "@agent-auth/app-server/methods";
 * import { openAccountService, startUnixSocketListener } from "@agent-auth/app-server/promises";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 *
 * const CODEX_HOME = mkdtempSync(join(tmpdir(), "codex-home-"));
 * await using service = await openAccountService({ variables: { CODEX_HOME } });
 * await using listener = await startUnixSocketListener({
 *   open: (client) => handleAccountMethods(service, client),
 *   path: join(CODEX_HOME, "app.sock"),
 * });
 * console.log(listener.path);
 * ```
 */
export const startUnixSocketListener = (
  options: UnixSocketListenerOptions & InContext,
): Promise<Listener & { readonly path: string }> => opened(listenOnUnixSocket(options), options);

/**
 * Serves one client on stdin and stdout, as `serveStdio` of `@agent-auth/app-server/server` does. Resolves when the client
 * has disconnected.
 *
 * @example
 * ```ts
 * import { handleAccountMethods } from "@agent-auth/app-server/methods";
 * import { openAccountService, serveStdioClient } from "@agent-auth/app-server/promises";
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { PassThrough, Readable } from "node:stream";
 *
 * const CODEX_HOME = mkdtempSync(join(tmpdir(), "codex-home-"));
 * await using service = await openAccountService({ variables: { CODEX_HOME } });
 * await serveStdioClient({
 *   open: (client) => handleAccountMethods(service, client),
 *   input: Readable.from([]), // default: stdin
 *   output: new PassThrough(), // default: stdout
 * });
 * ```
 */
export const serveStdioClient = (options: StdioServerOptions & InContext): Promise<void> =>
  Effect.runPromiseWith(options.context ?? Context.empty())(serveStdio(options));

const opened = async <A extends object, E>(
  listen: Effect.Effect<A, E, Scope.Scope>,
  options: InContext,
): Promise<Listener & A> => {
  const run = Effect.runPromiseWith(options.context ?? Context.empty());
  const scope = Scope.makeUnsafe();
  const close = () => run(Scope.close(scope, Exit.void));
  try {
    const listening = await run(Scope.provide(listen, scope));
    return { ...listening, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
};
