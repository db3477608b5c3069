/** A request id: a string or an integer. */
export type RequestId = string | number;

/** The error of an answer (JSON-RPC 2.0 §5.1). */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** The answer to one request, without its id. */
export type RpcAnswer = { readonly result: unknown } | { readonly error: RpcError };

/**
 * A connection to one client, for servers that dispatch requests by method themselves. A transport calls
 * `AccountConnection.request` and `.notification` with what it received, and the methods send through these functions.
 */
export interface ClientConnection {
  /**
   * Sends a notification. Must not throw; a closed connection ignores it. All connections get the same `params` object
   * for the same notification, so a transport can serialize it once. Codex's transports also send `emittedAtMs`, next
   * to `params`.
   */
  readonly notify: (method: string, params: object) => void;
  /**
   * Sends a request to the client and resolves to its result. Rejects with an `RpcError` if the client answers with an error,
   * and if the connection closes or `signal` aborts.
   */
  readonly request: (method: string, params: object, signal: AbortSignal) => Promise<unknown>;
}

/**
 * The account methods for one connection. Pass requests and notifications in the order in which they were received. No
 * function throws or rejects.
 */
export interface AccountConnection {
  /** Whether to pass this method to `request` or `notification`. True also for Codex's methods that are not supported. */
  readonly handles: (method: string) => boolean;
  /**
   * Returns the answer to a request; pass `params` as received, `undefined` if absent. An answer that needs no waiting
   * is returned at once. Notifications that a request causes are sent after a turn of the event loop that follows the
   * answer, so a caller that sends the answer at once sends it before them.
   */
  readonly request: (method: string, params: unknown) => RpcAnswer | Promise<RpcAnswer>;
  readonly notification: (method: string, params: unknown) => void;
  /**
   * Call it when the client has disconnected. Tokens that it lent are dropped, unless the service keeps them; a login that it
   * started continues.
   */
  readonly close: () => void;
}
