/** A request id: a string or an integer. */
export type RequestId = string | number;

/** The error of an answer (JSON-RPC 2.0 §5.1). */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/**
 * A connection to one client, for servers that dispatch requests by method themselves. A transport calls
 * `AccountConnection.request` and `.notification` with what it received, and the methods send through these functions.
 */
export interface ClientConnection {
  /** Sends a notification. Must not throw; a closed connection ignores it. */
  readonly notify: (method: string, params: unknown) => void;
  /**
   * Sends a request to the client and resolves to its result. Rejects with an `RpcError` if the client answers with an error,
   * and if the connection closes or `signal` aborts.
   */
  readonly request: (method: string, params: unknown, signal: AbortSignal) => Promise<unknown>;
}
