import { describe, expect, it } from "vitest";
import * as errors from "../src/errors/index.ts";
import type { AgentIdentityError, AgentIdentityErrorCode } from "../src/errors/index.ts";

const failure = new errors.HttpConnectionFailed({
  method: "GET",
  url: "https://authority.test/jwks",
  reason: "ECONNREFUSED",
});
const where = { method: "GET", url: "https://authority.test/x" };
const status = { status: 502, statusText: "Bad Gateway", body: "oops" };
const ids = { agentRuntimeId: "agent-1", taskId: "task-1" };
const nowMs = Date.UTC(2026, 3, 13, 12);

/** One of each, with the words that it says. The words of docs/protocol.md §13 are a contract with scripts. */
const pinned: ReadonlyArray<readonly [AgentIdentityError, string]> = [
  [
    new errors.HttpTimedOut({ ...where, timeoutMs: 50 }),
    "GET https://authority.test/x took longer than 50 ms",
  ],
  [failure, "GET https://authority.test/jwks failed: ECONNREFUSED"],
  [
    new errors.HttpBodyTooLarge({ ...where, maxBodyBytes: 10 }),
    "the answer to GET https://authority.test/x is larger than 10 bytes",
  ],
  [
    new errors.HttpRedirectRefused({
      ...where,
      status: 302,
      target: "https://evil.test",
      why: "another origin",
    }),
    "GET https://authority.test/x answered 302 and was redirected to https://evil.test, which is not followed: another origin",
  ],
  [new errors.HttpInsecureUrl(where), "plain http is refused for https://authority.test/x"],
  [
    new errors.HttpRequestInvalid({ method: "GET", part: "header x" }),
    "the request cannot be sent: its header x is not legal in HTTP",
  ],
  [
    new errors.HttpSettingUnusable({
      reason: "bundle.pem is empty",
      hint: "Unset it.",
      remedy: "fixEnvironment",
    }),
    "bundle.pem is empty",
  ],
  [new errors.BaseUrlInvalid({ problem: "it is no URL" }), "base URL is not usable: it is no URL"],
  [
    new errors.BaseUrlInsecure({ origin: "http://a.test" }),
    "plain http is refused for http://a.test",
  ],
  [
    new errors.PathSegmentInvalid({ segment: "agent_runtime_id" }),
    "agent_runtime_id cannot be a part of a URL",
  ],
  [
    new errors.JwksRequestFailed({ url: where.url, failure }),
    "failed to request agent identity JWKS: GET https://authority.test/jwks failed: ECONNREFUSED",
  ],
  [
    new errors.JwksEndpointError({ url: where.url, status: 500 }),
    "agent identity JWKS endpoint returned an error: https://authority.test/x answered 500",
  ],
  [
    new errors.JwksMalformed({ url: where.url, problem: "the answer is not JSON" }),
    "failed to decode agent identity JWKS from https://authority.test/x: the answer is not JSON",
  ],
  [new errors.JwtFormatInvalid({ problem: "x" }), "invalid agent identity JWT format: x"],
  [
    new errors.JwtHeaderUndecodable({ problem: "x" }),
    "failed to decode agent identity JWT header: x",
  ],
  [
    new errors.JwtAlgorithmNotAllowed({ expected: "RS256", found: "none" }),
    "failed to verify agent identity JWT: its algorithm is none, not RS256",
  ],
  [
    new errors.JwtCriticalHeaderUnsupported({ parameter: "crit" }),
    "failed to verify agent identity JWT: header parameter crit is not understood",
  ],
  [new errors.JwtKidMissing(), "agent identity JWT header does not include a kid"],
  [new errors.JwksKeyNotFound({ kid: "key-9" }), "agent identity JWT kid key-9 is not trusted"],
  [
    new errors.JwtSignatureInvalid({ kid: "key-1" }),
    "failed to verify agent identity JWT: its signature is wrong",
  ],
  [
    new errors.JwtExpired({ expiresAtMs: nowMs, nowMs }),
    "failed to verify agent identity JWT: it expired at 2026-04-13T12:00:00.000Z",
  ],
  [
    new errors.JwtNotYetValid({ notBeforeMs: nowMs, nowMs }),
    "failed to verify agent identity JWT: it is not valid before 2026-04-13T12:00:00.000Z",
  ],
  [
    new errors.JwtIssuerMismatch({ expected: "us", found: "them" }),
    "failed to verify agent identity JWT: it is from them, not from us",
  ],
  [
    new errors.JwtAudienceMismatch({ expected: "us", found: ["them", "you"] }),
    "failed to verify agent identity JWT: it is for them, you, not for us",
  ],
  [
    new errors.JwtClaimInvalid({ claim: "exp", expected: "a number", found: "nothing" }),
    "failed to verify agent identity JWT: claim exp must be a number, found nothing",
  ],
  [
    new errors.AgentKeyMalformed({ problem: "it is not base64" }),
    "stored agent identity private key is not valid PKCS#8: it is not base64",
  ],
  [new errors.AgentPublicKeyMalformed({ problem: "x" }), "agent public key is not usable: x"],
  [
    new errors.SealedBoxUnopened({ problem: "it is too short" }),
    "sealed message cannot be opened: it is too short",
  ],
  [new errors.AssertionMalformed({ problem: "x" }), "agent assertion is malformed: x"],
  [new errors.AssertionAgentUnknown(ids), "agent agent-1 is not known"],
  [
    new errors.AssertionRuntimeRefused({ expected: "agent-2", found: "agent-1" }),
    "assertion is from agent agent-1, not from agent-2",
  ],
  [new errors.AssertionTaskMismatch(ids), "task task-1 is not registered for agent agent-1"],
  [
    new errors.AssertionOutsideClockWindow({
      timestampMs: nowMs - 301_000,
      nowMs,
      windowSeconds: 300,
    }),
    "assertion is 301 s old, more than 300 s away",
  ],
  [new errors.AssertionSignatureInvalid(ids), "signature of agent agent-1 is wrong"],
  [new errors.AssertionReplayed(ids), "assertion of agent agent-1 was used before"],
  [
    new errors.AssertionLookupFailed({ service: "tasks", problem: "down" }),
    "assertion could not be checked: tasks: down",
  ],
  [
    new errors.StoredAgentIdentityInvalid({
      path: "account_id",
      expected: "a string",
      found: "null",
    }),
    "stored agent identity account_id must be a string, found null",
  ],
  [
    new errors.TaskRegistrationRefused({ ...status, attempts: 3 }),
    "agent task registration failed with status 502 Bad Gateway: oops",
  ],
  [
    new errors.TaskRegistrationUnreachable({ failure, attempts: 3 }),
    "failed to request agent task registration: GET https://authority.test/jwks failed: ECONNREFUSED",
  ],
  [
    new errors.TaskAnswerMalformed({ problem: "it is not JSON" }),
    "failed to decode agent task registration response: it is not JSON",
  ],
  [new errors.TaskIdMissing(), "agent task registration response omitted task id"],
  [new errors.TaskIdUndecryptable({ problem: "x" }), "failed to decrypt encrypted task id: x"],
  [new errors.AccessTokenUnavailable(), "ChatGPT access token is unavailable"],
  [
    new errors.BiscuitRefused(status),
    "agent biscuit request failed with status 502 Bad Gateway: oops",
  ],
  [
    new errors.BiscuitUnreachable({ failure }),
    "failed to request agent biscuit: GET https://authority.test/jwks failed: ECONNREFUSED",
  ],
  [
    new errors.AgentRegistrationRefused(status),
    "agent registration failed with status 502 Bad Gateway: oops",
  ],
  [
    new errors.AgentRegistrationUnreachable({ failure }),
    "failed to request agent registration: GET https://authority.test/jwks failed: ECONNREFUSED",
  ],
  [
    new errors.AgentRegistrationMalformed({ problem: "x" }),
    "failed to decode agent registration response: x",
  ],
  [new errors.ClientClosed(), "this agent identity client is closed"],
];

const refused = (code: number) =>
  new errors.TaskRegistrationRefused({ ...status, status: code, attempts: 1 });

describe("errors", () => {
  it.each(pinned.map(([error, message]) => ({ error, message, tag: error._tag })))(
    "$tag says: $message",
    ({ error, message }) => {
      expect(error.message).toBe(message);
      expect(error).toBeInstanceOf(Error);
      expect(error.name).toBe(error._tag);
      expect(error.code).toMatch(/^AGENT_IDENTITY_[A-Z_]+$/);
      expect(error.hint).toMatch(/^[A-Z`].+\.$/);
    },
  );

  it("has one code for each class, and every class is pinned above", () => {
    const classes = Object.values(errors).filter(
      (value) => typeof value === "function" && value.prototype instanceof Error,
    );
    const codes = new Set<AgentIdentityErrorCode>(pinned.map(([error]) => error.code));
    expect(codes.size).toBe(pinned.length);
    expect(new Set(pinned.map(([error]) => error._tag)).size).toBe(classes.length);
  });

  it("are told from what else is thrown", () => {
    for (const [error] of pinned) expect(errors.isAgentIdentityError(error)).toBe(true);
    const systemError = Object.assign(new Error("no such file"), { code: "ENOENT" });
    for (const other of [new Error("x"), systemError, { code: "AGENT_IDENTITY_X" }, "text", null])
      expect(errors.isAgentIdentityError(other)).toBe(false);
  });

  it("says what to do by the status of a refused registration", () => {
    expect(refused(503).hint).toBe("Try again later.");
    expect(refused(429).hint).toBe("Try again later.");
    expect(refused(403).hint).toBe("Sign in again with a valid agent identity.");
  });

  it("sends nobody to sign in again for a clock that is wrong", () => {
    const body = '{"error":{"code":"stale_timestamp"}}';
    const error = new errors.TaskRegistrationRefused({ ...status, status: 401, body, attempts: 1 });
    expect(error.hint).toBe("Set this machine's clock, then try again.");
  });
});
