import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Scope from "effect/Scope";
import {
  type ListenerAuth,
  listenOnUnixSocket,
  listenOnWebSocket,
  type UnixSocketListenerOptions,
  type WebSocketListenerOptions,
} from "../../src/server/index.ts";
import { makeMethods } from "./methods.ts";

const opened = async <A, E>(listen: Effect.Effect<A, E, Scope.Scope>) => {
  const scope = Scope.makeUnsafe();
  const listening = await Effect.runPromise(Scope.provide(listen, scope));
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void));
  return { ...listening, close, [Symbol.asyncDispose]: close };
};

const none: ListenerAuth = { _tag: "None" };

/** A WebSocket listener on a free port, with methods that need no account. */
export const startWebSocket = async (options: Partial<WebSocketListenerOptions> = {}) => {
  const methods = makeMethods();
  const all = { open: methods.open, host: "127.0.0.1", port: 0, auth: none, ...options };
  return { ...(await opened(listenOnWebSocket(all))), methods };
};

/** A listener on a Unix socket. */
export const startUnixSocket = async (
  path: string,
  options: Partial<UnixSocketListenerOptions> = {},
) => {
  const methods = makeMethods();
  const listen = listenOnUnixSocket({ open: methods.open, path, ...options });
  const { path: socketPath, ...rest } = await opened(listen);
  return { socketPath, ...rest, methods };
};

/** Starts a listener of each kind that speaks WebSocket. */
export const listeners = [
  { kind: "a port", listen: startWebSocket },
  {
    kind: "a Unix socket",
    listen: (options: { readonly pingEveryMs?: number } = {}) =>
      startUnixSocket(join(mkdtempSync(join(tmpdir(), "aa-sock-")), "s"), options),
  },
] as const;
