const words: Readonly<Record<string, string>> = {
  EAI_AGAIN: "its name cannot be resolved",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection broke",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no network",
  ENOTFOUND: "its name cannot be resolved",
  EPIPE: "the connection broke",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS",
  ETIMEDOUT: "the connection timed out",
  UND_ERR_CONNECT_TIMEOUT: "the connection timed out",
  UND_ERR_SOCKET: "the connection broke",
};

/** Returns the meaning of an error code of a connection (`ECONNREFUSED`) in words; an unknown code stays as it is. */
export const describeConnectionCode = (code: string): string => words[code] ?? code;

/** Returns the code of a failed connection, such as `ECONNREFUSED`, and its meaning in words. */
export const describeConnectionError = (
  error: unknown,
): { readonly code?: string; readonly reason: string } => {
  // Happy Eyeballs: one error for each address that was tried.
  const first: unknown = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  const { code, name }: { code?: unknown; name?: unknown } = Object(first);
  if (name === "HTTPParserError") return { code: name, reason: "its response is not HTTP" };
  return typeof code === "string"
    ? { code, reason: describeConnectionCode(code) }
    : { reason: "the connection failed" };
};
