import type * as z from "zod/mini";
import {
  AppServerAnswerInvalid,
  AppServerClosed,
  AppServerRequestFailed,
} from "../errors/index.ts";
import type { MethodName, methods as methodTable } from "../methods/table.ts";
import type { RpcError } from "../rpc/connection.ts";
import { type IncomingRequest, parseMessage } from "../rpc/messages.ts";
import * as account from "../schema/account.ts";
import { InitializeParams, InitializeResponse } from "../schema/handshake.ts";
import type { AccountEvent } from "../service/types.ts";
import type { MessageConnection } from "./connections.ts";

export { connectStdio, connectWebSocket, type MessageConnection } from "./connections.ts";

type Table = typeof methodTable;
/** The parameters of an account method. */
export type ParamsOf<M extends MethodName> = z.input<Table[M]["params"]>;
/** The result of an account method. */
export type ResultOf<M extends MethodName> = z.infer<Table[M]["result"]>;

interface CallOptions {
  /** Stops waiting for the response. The server is not notified, because the protocol cannot cancel a request. */
  readonly signal?: AbortSignal;
}

/**
 * Returns the result of a request that the server sent. If it throws an object with `code` and `message`, the server gets
 * that error; if it throws anything else, the server gets an internal error.
 */
export type RequestHandler = (params: unknown) => unknown;

/** A client of one app server, over one connection. */
export interface AppServerClient extends AsyncDisposable {
  /** Sends `initialize`, then `initialized`. Call it before every other method. */
  readonly initialize: (
    params: z.input<typeof InitializeParams>,
    call?: CallOptions,
  ) => Promise<z.infer<typeof InitializeResponse>>;
  /** Calls an account method and checks its result against the schema. */
  readonly call: <M extends MethodName>(
    method: M,
    params: ParamsOf<M>,
    call?: CallOptions,
  ) => Promise<ResultOf<M>>;
  /** Calls any method, such as `thread/start`, and returns its result unchecked. */
  readonly request: (method: string, params?: unknown, call?: CallOptions) => Promise<unknown>;
  readonly notify: (method: string, params?: unknown) => void;
  /** Calls the listener for each account event, until the returned function is called. */
  readonly onAccountEvent: (listener: (event: AccountEvent) => void) => () => void;
  /** Calls the listener for each notification of this method, until the returned function is called. */
  readonly on: (method: string, listener: (params: unknown) => void) => () => void;
  /**
   * Handles the server's requests for this method. Without a handler, the client does not respond, because a Codex app
   * server asks all its clients and accepts the first response, even an error.
   */
  readonly handle: (method: string, handler: RequestHandler) => () => void;
  /** Resolves when the connection has closed, from either side. */
  readonly closed: Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * Returns a client for an app server: `codex app-server`, `agent-auth app-server`, or your own server with the account
 * methods. Calls reject with `AppServerRequestFailed` if the server answers with an error, with `AppServerClosed` if the
 * connection ends first, and with `AppServerAnswerInvalid` if a result does not match its schema.
 *
 * @example
 * ```ts
 * import { connectStdio, createAppServerClient } from "@agent-auth/app-server/client";
 * import { spawn } from "node:child_process";
 *
 * export const whoIsSignedIn = async (): Promise<string> => {
 *   const server = spawn("codex", ["app-server"], { stdio: ["pipe", "pipe", "inherit"] });
 *   await using client = createAppServerClient(connectStdio(server));
 *   await client.initialize({ clientInfo: { name: "example", version: "1.0.0" } });
 *   const { account } = await client.call("account/read", {});
 *   return account?.type ?? "not signed in";
 * };
 * ```
 */
export const createAppServerClient = (connection: MessageConnection): AppServerClient =>
  new Client(connection);

/** A request that the server has not answered yet. */
interface Waiting {
  readonly method: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

class Client implements AppServerClient {
  readonly #connection: MessageConnection;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Map<string, Set<(params: unknown) => void>>();
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #closed = Promise.withResolvers<void>();
  #nextId = 1;
  #isClosed = false;

  constructor(connection: MessageConnection) {
    this.#connection = connection;
    connection.onMessage((text) => this.#receive(text));
    connection.onClose(() => {
      this.#isClosed = true;
      for (const { method, reject } of this.#waiting.values())
        reject(new AppServerClosed({ method }));
      this.#waiting.clear();
      this.#closed.resolve();
    });
  }

  readonly initialize: AppServerClient["initialize"] = async (params, call) => {
    const result = await this.request("initialize", params, call);
    const checked = check("initialize", InitializeResponse, result);
    this.notify("initialized");
    return checked;
  };

  readonly call: AppServerClient["call"] = async (method, params, call) => {
    const result = await this.request(method, params, call);
    const { methods } = await import("../methods/table.ts");
    const table: ResultSchemas = methods;
    return check(method, table[method].result, result);
  };

  readonly request: AppServerClient["request"] = async (method, params, { signal } = {}) => {
    signal?.throwIfAborted();
    if (this.#isClosed) throw new AppServerClosed({ method });
    const id = this.#nextId++;
    const { promise, reject, resolve } = Promise.withResolvers<unknown>();
    const onAbort = (): void => {
      this.#waiting.delete(id);
      reject(signal?.reason);
    };
    this.#waiting.set(id, { method, resolve, reject });
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#connection.send(JSON.stringify({ id, method, params }));
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  };

  readonly notify: AppServerClient["notify"] = (method, params) => {
    if (!this.#isClosed) this.#connection.send(JSON.stringify({ method, params }));
  };

  readonly on: AppServerClient["on"] = (method, listener) => {
    const own = (params: unknown): void => listener(params);
    const all = this.#listeners.get(method) ?? new Set();
    this.#listeners.set(method, all.add(own));
    return () => void all.delete(own);
  };

  readonly onAccountEvent: AppServerClient["onAccountEvent"] = (listener) => {
    const stops = [
      this.on("account/login/completed", (params) => {
        const parsed = account.AccountLoginCompletedNotification.safeParse(params);
        if (parsed.success) listener({ method: "account/login/completed", params: parsed.data });
      }),
      this.on("account/updated", (params) => {
        const parsed = account.AccountUpdatedNotification.safeParse(params);
        if (parsed.success) listener({ method: "account/updated", params: parsed.data });
      }),
    ];
    return () => stops.forEach((stop) => stop());
  };

  readonly handle: AppServerClient["handle"] = (method, handler) => {
    this.#handlers.set(method, handler);
    return () => {
      if (this.#handlers.get(method) === handler) this.#handlers.delete(method);
    };
  };

  readonly closed = this.#closed.promise;

  readonly close = async (): Promise<void> => {
    this.#connection.close();
    await this.closed;
  };

  readonly [Symbol.asyncDispose] = this.close;

  #receive(text: string): void {
    const message = parseMessage(text);
    switch (message?._tag) {
      case "Answer": {
        const call = typeof message.id === "number" ? this.#waiting.get(message.id) : undefined;
        if (call === undefined || typeof message.id !== "number") return;
        this.#waiting.delete(message.id);
        if ("result" in message.answer) return call.resolve(message.answer.result);
        return call.reject(requestFailed(call.method, message.answer.error));
      }
      case "Notification":
        for (const listener of this.#listeners.get(message.method) ?? []) listener(message.params);
        return;
      case "Request":
        void this.#answer(message);
        return;
      case undefined:
    }
  }

  async #answer({ idJson, method, params }: IncomingRequest): Promise<void> {
    const handler = this.#handlers.get(method);
    if (handler === undefined) return;
    const answer = await settle(handler, params);
    if (!this.#isClosed) this.#connection.send(`{"id":${idJson},${answer}}`);
  }
}

type ResultSchemas = {
  readonly [M in MethodName]: { readonly result: z.ZodMiniType<ResultOf<M>> };
};

const check = <A>(method: string, schema: z.ZodMiniType<A>, result: unknown): A => {
  const parsed = schema.safeParse(result);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") || "the result";
  throw new AppServerAnswerInvalid({ method, reason: `${where} does not match the schema` });
};

const requestFailed = (method: string, { code, data, message }: RpcError): AppServerRequestFailed =>
  new AppServerRequestFailed({
    method,
    rpcCode: code,
    text: message,
    ...(data === undefined ? {} : { data }),
  });

/** Returns the member `result` or `error` of a response. */
const settle = async (handler: RequestHandler, params: unknown): Promise<string> => {
  try {
    const result: unknown = await handler(params);
    return `"result":${JSON.stringify(result ?? null)}`;
  } catch (error) {
    return `"error":${JSON.stringify(isRpcError(error) ? toPlain(error) : internalError)}`;
  }
};

const internalError: RpcError = { code: -32603, message: "the client could not answer" };

const isRpcError = (error: unknown): error is RpcError =>
  typeof error === "object" &&
  error !== null &&
  "code" in error &&
  typeof error.code === "number" &&
  "message" in error &&
  typeof error.message === "string";

const toPlain = ({ code, data, message }: RpcError): RpcError => ({
  code,
  message,
  ...(data === undefined ? {} : { data }),
});
