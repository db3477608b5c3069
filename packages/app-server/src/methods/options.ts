/** How a client describes itself in `initialize`. */
export interface ClientDescription {
  /** By default, the first client's name is the originator of the service's requests. Must be a valid header value. */
  readonly name: string;
  readonly title?: string | null;
  readonly version: string;
}

/** What a client asked for in `initialize`. */
export interface ClientCapabilities {
  /** Experimental methods and variants are refused without it. */
  readonly experimentalApi?: boolean;
  /** Exact names of notifications that are not sent to this connection. */
  readonly optOutNotificationMethods?: ReadonlyArray<string>;
}

/** The options of `handleAccountMethods`. */
export interface AccountMethodsOptions {
  /**
   * The client's description and capabilities, for a server that has its own handshake: the connection is ready at once, and
   * `initialize` is left to that server. If absent, `initialize` is answered here, and every request before it fails.
   */
  readonly initialized?: {
    readonly clientInfo?: ClientDescription;
    readonly capabilities?: ClientCapabilities;
  };
  /** Called after a successful `initialize`. */
  readonly onInitialized?: (client: {
    readonly clientInfo: ClientDescription;
    readonly capabilities: ClientCapabilities;
  }) => void;
}
