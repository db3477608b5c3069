import type { AssertionError } from "@agent-auth/agent-identity/errors";
import { type RejectionReason, RequestRejected } from "../errors/index.ts";

/** The verifier's errors by their reason. */
const assertionReasons: Readonly<Record<AssertionError["_tag"], RejectionReason>> = {
  AssertionMalformed: "malformed_assertion",
  AssertionAgentUnknown: "unknown_agent",
  AssertionAgentMismatch: "wrong_agent",
  AssertionTaskMismatch: "unknown_task",
  AssertionOutsideClockWindow: "stale_timestamp",
  AssertionSignatureInvalid: "bad_signature",
  AssertionReplayed: "replayed_assertion",
  AssertionLookupFailed: "store_unavailable",
};

/** The rejection that an assertion's error means. */
export const rejectAssertion = (error: AssertionError): RequestRejected =>
  reject(assertionReasons[error._tag], error.message);

/** Without a stack trace, which takes ten times as long as the rest: a flood of rejections must cost little. */
const withoutStack = <A>(make: () => A): A => {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
};

export const reject = (
  reason: RejectionReason,
  message: string,
  retryAfterMs?: number,
): RequestRejected =>
  withoutStack(
    () =>
      new RequestRejected({
        reason,
        message,
        ...(retryAfterMs === undefined
          ? {}
          : { retryAfterSeconds: Math.max(1, Math.ceil(retryAfterMs / 1000)) }),
      }),
  );

/** 503: the store's own message may name hosts, so the caller learns only that it failed. */
export const rejectUnavailable = (): RequestRejected =>
  reject("store_unavailable", "the credential cannot be checked at the moment", 1000);

const types: Readonly<Record<RequestRejected["status"], string>> = {
  401: "authentication_error",
  403: "permission_error",
  429: "rate_limit_error",
  503: "server_error",
};

const quoted = (text: string): string => `"${text.replace(/[^\x20-\x7e]|["\\]/g, " ")}"`;

/**
 * The `WWW-Authenticate` header of a 401 (RFC 9110 §11.6.1): one challenge per scheme that is accepted. `error` is that of
 * RFC 6750 §3.1, and absent if the request had no credential; `reason` says what exactly is wrong.
 */
export const challenge = (
  { reason }: RequestRejected,
  options: { readonly realm: string; readonly acceptsBearer: boolean },
): string => {
  const realm = `realm=${quoted(options.realm)}`;
  const error = reason === "missing_authorization" ? "" : `, error="invalid_token"`;
  const parameters = `${realm}${error}, reason="${reason}"`;
  const assertion = `AgentAssertion ${parameters}`;
  return options.acceptsBearer ? `${assertion}, Bearer ${parameters}` : assertion;
};

/** Status, headers and body of the response to a rejected request. */
export interface RejectionResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON: `{"error":{"message","type","code"}}`, as OpenAI's API writes it; `code` is the reason. */
  readonly body: string;
}

/**
 * Returns the response to a rejected request.
 *
 * @example
 * ```ts
 * import { rejectionResponse } from "@agent-auth/gateway/authentication";
 * import { RequestRejected } from "@agent-auth/gateway/errors";
 *
 * const rejected = new RequestRejected({ reason: "unknown_agent", message: "agent a is unknown" });
 * const { status, headers } = rejectionResponse(rejected, { realm: "models", acceptsBearer: false });
 * headers["www-authenticate"]; // AgentAssertion realm="models", error="invalid_token", reason="unknown_agent"
 * ```
 */
export const rejectionResponse = (
  rejected: RequestRejected,
  options: { readonly realm: string; readonly acceptsBearer: boolean },
): RejectionResponse => {
  const { status, reason, message, retryAfterSeconds } = rejected;
  return {
    status,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
      ...(status === 401 ? { "www-authenticate": challenge(rejected, options) } : {}),
      ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
    },
    body: JSON.stringify({ error: { message, type: types[status], code: reason } }),
  };
};
