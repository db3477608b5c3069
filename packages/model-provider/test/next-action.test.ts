import { CertificateUntrusted } from "../src/errors/index.ts";
import { describe, expect, it } from "vitest";
import {
  initialState,
  isFinalStatus,
  isIdempotent,
  type NextAction,
  nextAction,
  type Outcome,
  type RequestFacts,
  type RunState,
} from "../src/requests/next-action.ts";

const policy = { maxRetries: 2, baseDelayMs: 100, maxDelayMs: 60_000 };
const start = initialState(policy);

const facts: RequestFacts = {
  isAuthenticated: true,
  isReplayable: true,
  isIdempotent: false,
  isAccountChanged: false,
};

const answered = (
  status: number,
  more: Partial<Extract<Outcome, { _tag: "Answered" }>> = {},
): Outcome => ({ _tag: "Answered", status, retryAfterMs: undefined, ...facts, ...more });

const failed = (
  code: string | undefined,
  more: Partial<Extract<Outcome, { _tag: "Failed" }>> = {},
): Outcome => ({
  _tag: "Failed",
  error: Object.assign(new Error("failed"), code === undefined ? {} : { code }),
  isAborted: false,
  ...facts,
  ...more,
});

const deliver: NextAction = { _tag: "Deliver" };
const sendAgain: NextAction = { _tag: "SendAgain" };
const reconnect: NextAction = { _tag: "SendAgain", delayMs: 0 };

type Row = readonly [name: string, state: RunState, outcome: Outcome, action: NextAction];

const rows: ReadonlyArray<Row> = [
  ["200", start, answered(200), deliver],
  ["404", start, answered(404), deliver],
  ["401", start, answered(401), { _tag: "Recover" }],
  ["401 after one recovery", { ...start, recoveries: 1 }, answered(401), { _tag: "Recover" }],
  ["401 after two recoveries", { ...start, recoveries: 2 }, answered(401), deliver],
  ["401 without a credential", start, answered(401, { isAuthenticated: false }), deliver],
  [
    "401 for a stream, to recover the credential for the next request",
    start,
    answered(401, { isReplayable: false }),
    { _tag: "Recover" },
  ],
  ["500", start, answered(500), sendAgain],
  ["599", start, answered(599), sendAgain],
  ["429", start, answered(429), sendAgain],
  ["500 after all retries", { ...start, retries: 2 }, answered(500), deliver],
  ["500 for a stream", start, answered(500, { isReplayable: false }), deliver],
  [
    "500 after another account signed in",
    start,
    answered(500, { isAccountChanged: true }),
    deliver,
  ],
  [
    "503 with Retry-After: 7",
    start,
    answered(503, { retryAfterMs: 7_000 }),
    { _tag: "SendAgain", delayMs: 7_000 },
  ],
  [
    "503 with the longest Retry-After that is allowed",
    start,
    answered(503, { retryAfterMs: 60_000 }),
    { _tag: "SendAgain", delayMs: 60_000 },
  ],
  ["503 with a longer Retry-After", start, answered(503, { retryAfterMs: 60_001 }), deliver],
  [
    "503 with a Retry-After that is not a number",
    start,
    answered(503, { retryAfterMs: NaN }),
    deliver,
  ],
  ["ECONNREFUSED", start, failed("ECONNREFUSED"), sendAgain],
  ["ECONNREFUSED after all retries", { ...start, retries: 2 }, failed("ECONNREFUSED"), deliver],
  ["ECONNREFUSED for a stream", start, failed("ECONNREFUSED", { isReplayable: false }), deliver],
  ["an error without a code", start, failed(undefined), deliver],
  ["an aborted request", start, failed("ECONNRESET", { isAborted: true }), deliver],
  ["UND_ERR_ABORTED", start, failed("UND_ERR_ABORTED"), deliver],
  ["an untrusted certificate", start, failed("SELF_SIGNED_CERT_IN_CHAIN"), deliver],
  [
    "an untrusted certificate, explained and wrapped by fetch",
    start,
    failed(undefined, {
      error: new TypeError("fetch failed", {
        cause: new CertificateUntrusted({ origin: "https://a.example", reason: "X" }),
      }),
    }),
    deliver,
  ],
  [
    "ECONNRESET, wrapped by fetch",
    start,
    failed(undefined, {
      error: new TypeError("fetch failed", {
        cause: Object.assign(new Error("reset"), { code: "ECONNRESET" }),
      }),
      isIdempotent: true,
    }),
    reconnect,
  ],
  [
    "ECONNRESET of an idempotent request",
    start,
    failed("ECONNRESET", { isIdempotent: true }),
    reconnect,
  ],
  ["EPIPE of an idempotent request", start, failed("EPIPE", { isIdempotent: true }), reconnect],
  [
    "UND_ERR_SOCKET of an idempotent request",
    start,
    failed("UND_ERR_SOCKET", { isIdempotent: true }),
    reconnect,
  ],
  [
    "ECONNRESET of another request: only a configured retry",
    start,
    failed("ECONNRESET"),
    sendAgain,
  ],
  [
    "ECONNRESET on the fourth connection, without retries",
    { ...initialState({ ...policy, maxRetries: 0 }), reconnects: 3 },
    failed("ECONNRESET", { isIdempotent: true }),
    deliver,
  ],
  [
    "ECONNRESET on the fourth connection, with retries",
    { ...start, reconnects: 3 },
    failed("ECONNRESET", { isIdempotent: true }),
    sendAgain,
  ],
  [
    "ECONNRESET of an idempotent stream",
    start,
    failed("ECONNRESET", { isIdempotent: true, isReplayable: false }),
    deliver,
  ],
  [
    "ECONNREFUSED of an idempotent request, without retries",
    initialState({ ...policy, maxRetries: 0 }),
    failed("ECONNREFUSED", { isIdempotent: true }),
    deliver,
  ],
  [
    "a recovery with another credential",
    start,
    { _tag: "Recovered", hasCredential: true, isReplayable: true },
    { _tag: "SendRecovered" },
  ],
  [
    "a recovery without one",
    start,
    { _tag: "Recovered", hasCredential: false, isReplayable: true },
    deliver,
  ],
  [
    "a recovery whose request cannot be sent again",
    start,
    { _tag: "Recovered", hasCredential: true, isReplayable: false },
    deliver,
  ],
];

describe("nextAction", () => {
  it.each(rows)("after %s", (_name, state, outcome, action) => {
    expect(nextAction(state, outcome)[0]).toEqual(action);
  });

  it.each<[string, Outcome, Partial<RunState>]>([
    ["a recovery", answered(401), { recoveries: 1 }],
    ["a retry", answered(500), { retries: 1 }],
    ["a reconnection", failed("EPIPE", { isIdempotent: true }), { reconnects: 1 }],
    ["nothing for a delivered response", answered(404), {}],
  ])("counts %s", (_name, outcome, counted) => {
    expect(nextAction(start, outcome)[1]).toEqual({ ...start, ...counted });
  });

  it("delivers every status that isFinalStatus calls final", () => {
    const all = Array.from({ length: 500 }, (_, index) => 100 + index);
    const final = all.filter(isFinalStatus);
    expect(new Set(final.map((status) => nextAction(start, answered(status))[0]))).toEqual(
      new Set([deliver]),
    );
    expect(final).toHaveLength(398); // All but 401, 429 and 500 to 599.
    expect([401, 429, 500, 599].map(isFinalStatus)).toEqual([false, false, false, false]);
  });
});

describe("isIdempotent", () => {
  it.each([
    ["GET", [], true],
    ["get", [], true],
    ["PUT", [], true],
    ["DELETE", [], true],
    ["POST", [], false],
    ["PATCH", ["content-type"], false],
    ["POST", ["Idempotency-Key"], true],
    ["POST", ["x-idempotency-key"], true],
  ])("%s with headers %j: %s", (method, names, expected) => {
    expect(isIdempotent(method, () => names)).toBe(expected);
  });
});
