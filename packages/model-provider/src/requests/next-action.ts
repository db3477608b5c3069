import { isTransientStatus } from "@agent-auth/agent-identity/http";
import { isUntrustedCertificateCode } from "@agent-auth/agent-identity/http";

/** How often a request is repeated. */
export interface RetryPolicy {
  /** Attempts after the first one on 5xx, 429 and transport failures. */
  readonly maxRetries: number;
  /** Milliseconds before the first retry; each further one waits twice as long, give or take a fifth. */
  readonly baseDelayMs: number;
  /** Milliseconds. A longer `Retry-After` ends the retries. */
  readonly maxDelayMs: number;
}

/** After a 401 the credential is read again, then refreshed (docs/protocol.md §9). Each allows one more attempt. */
const maxRecoveries = 2;

/** More than one pooled connection may have been closed by the server, and the pool chooses which one is used. */
const maxReconnects = 3;

/** What has happened to a request so far. */
export interface RunState {
  readonly policy: RetryPolicy;
  readonly recoveries: number;
  readonly retries: number;
  readonly reconnects: number;
}

export const initialState = (policy: RetryPolicy): RunState => ({
  policy,
  recoveries: 0,
  retries: 0,
  reconnects: 0,
});

/** What decides whether a request can be sent again. */
export interface RequestFacts {
  /** The attempt carried a credential. */
  readonly isAuthenticated: boolean;
  /** The body can be sent a second time. */
  readonly isReplayable: boolean;
  /** Sending the request twice has the same effect as sending it once (RFC 9110 §9.2.2). */
  readonly isIdempotent: boolean;
  /** Another account than that of the first attempt is known to be signed in now. */
  readonly isAccountChanged: boolean;
}

/** How an attempt, or what followed it, ended. */
export type Outcome =
  | ({
      readonly _tag: "Answered";
      readonly status: number;
      /** Milliseconds that `Retry-After` asks for, if the response has one. */
      readonly retryAfterMs: number | undefined;
    } & RequestFacts)
  | ({
      readonly _tag: "Failed";
      readonly error: unknown;
      readonly isAborted: boolean;
    } & RequestFacts)
  /** The recovery after a 401 has ended, with another credential of the same account or without. */
  | {
      readonly _tag: "Recovered";
      readonly hasCredential: boolean;
      readonly isReplayable: boolean;
    };

export type NextAction =
  /** Give the response or the error to the caller. */
  | { readonly _tag: "Deliver" }
  /** Keep the response and ask for another credential. Then continue with `Recovered`. */
  | { readonly _tag: "Recover" }
  /** Discard the response and send again at once with the recovered credential. */
  | { readonly _tag: "SendRecovered" }
  /**
   * Discard the response, wait, sign and send again. `delayMs` is absent if the wait is up to the retry schedule. Before
   * sending, the account has to be compared: it may have changed during the wait.
   */
  | { readonly _tag: "SendAgain"; readonly delayMs?: number };

/** Returns whether a response with this status is always passed to the caller, so nothing else about it matters. */
export const isFinalStatus = (status: number): boolean =>
  status !== 401 && status !== 429 && status < 500;

/** Decides what happens after `outcome`, and returns the state that follows. Pure. */
export const nextAction = (state: RunState, outcome: Outcome): readonly [NextAction, RunState] => {
  switch (outcome._tag) {
    case "Answered":
      return afterAnswer(state, outcome);
    case "Failed":
      return afterFailure(state, outcome);
    default:
      return [outcome.hasCredential && outcome.isReplayable ? sendRecovered : deliver, state];
  }
};

const deliver: NextAction = { _tag: "Deliver" };
const recover: NextAction = { _tag: "Recover" };
const sendRecovered: NextAction = { _tag: "SendRecovered" };

const afterAnswer = (
  state: RunState,
  outcome: Extract<Outcome, { _tag: "Answered" }>,
): readonly [NextAction, RunState] => {
  const { status, retryAfterMs } = outcome;
  // Also if the body cannot be sent again: the next request should not get the same 401.
  if (status === 401 && outcome.isAuthenticated && state.recoveries < maxRecoveries)
    return [recover, { ...state, recoveries: state.recoveries + 1 }];
  const isWorthRetrying = isTransientStatus(status);
  if (!isWorthRetrying || outcome.isAccountChanged || !canRetry(state, outcome))
    return [deliver, state];
  if (retryAfterMs !== undefined && !(retryAfterMs <= state.policy.maxDelayMs))
    return [deliver, state];
  return [
    retryAfterMs === undefined
      ? { _tag: "SendAgain" }
      : { _tag: "SendAgain", delayMs: retryAfterMs },
    { ...state, retries: state.retries + 1 },
  ];
};

const afterFailure = (
  state: RunState,
  outcome: Extract<Outcome, { _tag: "Failed" }>,
): readonly [NextAction, RunState] => {
  const code = failureCode(outcome.error);
  if (outcome.isAborted || code === undefined) return [deliver, state];
  if (canReconnect(state, outcome, code))
    return [
      { _tag: "SendAgain", delayMs: 0 },
      { ...state, reconnects: state.reconnects + 1 },
    ];
  if (isPermanent(code) || !canRetry(state, outcome)) return [deliver, state];
  return [{ _tag: "SendAgain" }, { ...state, retries: state.retries + 1 }];
};

const canRetry = (state: RunState, { isReplayable }: RequestFacts): boolean =>
  state.retries < state.policy.maxRetries && isReplayable;

/** The server closed the connection before it answered, as it may do with a connection that was idle (RFC 9112 §9.3.1). */
const closedByServer: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

const canReconnect = (
  state: RunState,
  { isIdempotent, isReplayable }: RequestFacts,
  code: string,
): boolean =>
  closedByServer.has(code) && isIdempotent && isReplayable && state.reconnects < maxReconnects;

const permanentCodes: ReadonlySet<string> = new Set([
  "UND_ERR_ABORTED",
  "UND_ERR_CLOSED",
  "UND_ERR_DESTROYED",
  "UND_ERR_INVALID_ARG",
  "UND_ERR_NOT_SUPPORTED",
]);

/** Errors of these packages and an untrusted certificate cannot be fixed by a retry. */
const isPermanent = (code: string): boolean =>
  permanentCodes.has(code) ||
  /^(?:AGENT_IDENTITY|PROVIDER)_/.test(code) ||
  isUntrustedCertificateCode(code);

/** The code of a transport failure, which fetch wraps once. An error without a code is the caller's own. */
const failureCode = (error: unknown): string | undefined =>
  codeOf(error) ?? codeOf(Reflect.get(Object(error), "cause"));

const codeOf = (error: unknown): string | undefined => {
  const code: unknown = Reflect.get(Object(error), "code");
  return typeof code === "string" ? code : undefined;
};

const idempotentMethods: ReadonlySet<string> = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "PUT"]);

/** Returns whether a request is idempotent: by its method, or because it has an `Idempotency-Key`. */
export const isIdempotent = (method: string, headerNames: () => Iterable<string>): boolean => {
  if (idempotentMethods.has(method.toUpperCase())) return true;
  for (const name of headerNames()) if (/^(?:x-)?idempotency-key$/i.test(name)) return true;
  return false;
};
