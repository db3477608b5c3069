import { describe, expect, it } from "vitest";
import * as errors from "../src/errors/index.ts";
import type { AgentIdentityError, AgentIdentityErrorCode, Remedy } from "../src/errors/index.ts";

const failure = new errors.HttpConnectionFailed({
  method: "GET",
  url: "https://authority.test/jwks",
  reason: "ECONNREFUSED",
});
const where = { method: "GET", url: "https://authority.test/x" };
const status = { status: 502, statusText: "Bad Gateway", body: "oops" };
const ids = { agentRuntimeId: "agent-1", taskId: "task-1" };
const nowMs = Date.UTC(2026, 3, 13, 12);

/** One error of each class with its message. The messages of docs/protocol.md §13 are a contract with scripts. */
const pinned: ReadonlyArray<readonly [AgentIdentityError, string]> = [
  [
    new errors.HttpTimedOut({ ...where, timeoutMs: 50 }),
    "GET https://authority.test/x took longer than 50 ms",
  ],
  [failure, "GET https://authority.test/jwks failed: ECONNREFUSED"],
  [
    new errors.HttpBodyTooLarge({ ...where, maxBodyBytes: 10 }),
    "the response to GET https://authority.test/x is larger than 10 bytes",
  ],
  [
    new errors.HttpRedirectNotAllowed({
      ...where,
      status: 302,
      target: "https://evil.test",
      why: "another origin",
    }),
    "GET https://authority.test/x was redirected to https://evil.test (status 302), which is not followed: another origin",
  ],
  [new errors.HttpInsecureUrl(where), "plain http is refused for https://authority.test/x"],
  [
    new errors.HttpRequestInvalid({ method: "GET", part: "header x" }),
    "the request cannot be sent: its header x is not valid in HTTP",
  ],
  [
    new errors.HttpConfigurationInvalid({
      reason: "bundle.pem is empty",
      hint: "Unset it.",
      remedy: "fixEnvironment",
    }),
    "bundle.pem is empty",
  ],
  [
    new errors.BaseUrlInvalid({ problem: "it is not an absolute URL" }),
    "invalid base URL: it is not an absolute URL",
  ],
  [
    new errors.BaseUrlInsecure({ origin: "http://a.test" }),
    "plain http is refused for http://a.test",
  ],
  [
    new errors.PathSegmentInvalid({ segment: "agent_runtime_id" }),
    "agent_runtime_id cannot be used as a URL path segment",
  ],
  [
    new errors.JwksRequestFailed({ url: where.url, failure }),
    "failed to request agent identity JWKS: GET https://authority.test/jwks failed: ECONNREFUSED",
  ],
  [
    new errors.JwksEndpointError({ url: where.url, status: 500 }),
    "agent identity JWKS endpoint returned an error: https://authority.test/x responded with status 500",
  ],
  [
    new errors.JwksMalformed({ url: where.url, problem: "the response is not JSON" }),
    "failed to decode agent identity JWKS from https://authority.test/x: the response is not JSON",
  ],
  [new errors.JwtFormatInvalid({ problem: "x" }), "invalid agent identity JWT format: x"],
  [
    new errors.JwtHeaderMalformed({ problem: "x" }),
    "failed to decode agent identity JWT header: x",
  ],
  [
    new errors.JwtAlgorithmNotAllowed({ expected: "RS256", found: "none" }),
    "failed to verify agent identity JWT: algorithm none is not allowed, expected RS256",
  ],
  [
    new errors.JwtCriticalHeaderUnsupported({ parameter: "crit" }),
    "failed to verify agent identity JWT: critical header not supported: crit",
  ],
  [new errors.JwtKidMissing(), "agent identity JWT header does not include a kid"],
  [new errors.JwksKeyNotFound({ kid: "key-9" }), "agent identity JWT kid key-9 is not trusted"],
  [
    new errors.JwtSignatureInvalid({ kid: "key-1" }),
    "failed to verify agent identity JWT: invalid signature",
  ],
  [
    new errors.JwtExpired({ expiresAtMs: nowMs, nowMs }),
    "failed to verify agent identity JWT: token expired at 2026-04-13T12:00:00.000Z",
  ],
  [
    new errors.JwtNotYetValid({ notBeforeMs: nowMs, nowMs }),
    "failed to verify agent identity JWT: token is not valid before 2026-04-13T12:00:00.000Z",
  ],
  [
    new errors.JwtIssuerMismatch({ expected: "us", found: "them" }),
    "failed to verify agent identity JWT: issuer mismatch: expected us, found them",
  ],
  [
    new errors.JwtAudienceMismatch({ expected: "us", found: ["them", "you"] }),
    "failed to verify agent identity JWT: audience mismatch: expected us, found them, you",
  ],
  [
    new errors.JwtClaimInvalid({ claim: "exp", expected: "a number", found: "nothing" }),
    "failed to verify agent identity JWT: claim exp must be a number, found nothing",
  ],
  [
    new errors.AgentKeyMalformed({ problem: "it is not base64" }),
    "stored agent identity private key is not valid PKCS#8: it is not base64",
  ],
  [new errors.AgentPublicKeyMalformed({ problem: "x" }), "invalid agent public key: x"],
  [
    new errors.SealedBoxDecryptionFailed({ problem: "it is too short" }),
    "sealed message cannot be decrypted: it is too short",
  ],
  [new errors.AssertionMalformed({ problem: "x" }), "agent assertion is malformed: x"],
  [new errors.AssertionAgentUnknown(ids), "agent agent-1 is unknown"],
  [
    new errors.AssertionAgentMismatch({ expected: "agent-2", found: "agent-1" }),
    "agent mismatch: expected agent-2, found agent-1",
  ],
  [new errors.AssertionTaskMismatch(ids), "task task-1 is not registered for agent agent-1"],
  [
    new errors.AssertionOutsideClockWindow({
      timestampMs: nowMs - 301_000,
      nowMs,
      windowSeconds: 300,
    }),
    "assertion timestamp is 301 s in the past, the clock window is 300 s",
  ],
  [new errors.AssertionSignatureInvalid(ids), "invalid assertion signature of agent agent-1"],
  [new errors.AssertionReplayed(ids), "assertion of agent agent-1 was used too often"],
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
    new errors.TaskRegistrationRejected({ ...status, attempts: 3 }),
    "agent task registration failed with status 502 Bad Gateway: oops",
  ],
  [
    new errors.TaskRegistrationRequestFailed({ failure, attempts: 3 }),
    "failed to request agent task registration: GET https://authority.test/jwks failed: ECONNREFUSED",
  ],
  [
    new errors.TaskRegistrationResponseMalformed({ problem: "it is not JSON" }),
    "failed to decode agent task registration response: it is not JSON",
  ],
  [new errors.TaskIdMissing(), "agent task registration response omitted task id"],
  [new errors.TaskIdDecryptionFailed({ problem: "x" }), "failed to decrypt encrypted task id: x"],
  [new errors.AccessTokenUnavailable(), "ChatGPT access token is unavailable"],
  [
    new errors.BiscuitRejected(status),
    "agent biscuit request failed with status 502 Bad Gateway: oops",
  ],
  [
    new errors.BiscuitRequestFailed({ failure }),
    "failed to request agent biscuit: GET https://authority.test/jwks failed: ECONNREFUSED",
  ],
  [
    new errors.AgentRegistrationRejected(status),
    "agent registration failed with status 502 Bad Gateway: oops",
  ],
  [
    new errors.AgentRegistrationRequestFailed({ failure }),
    "failed to request agent registration: GET https://authority.test/jwks failed: ECONNREFUSED",
  ],
  [
    new errors.AgentRegistrationResponseMalformed({ problem: "x" }),
    "failed to decode agent registration response: x",
  ],
  [
    new errors.DispatcherNotSupported({ reason: "olderDispatcher" }),
    "the dispatcher belongs to another version of undici than these packages",
  ],
  [new errors.ClientClosed(), "this agent identity client is closed"],
  [new errors.NodeTooOld("20.19.0"), "@agent-auth needs Node 22.19 or later; this is 20.19.0"],
];

/** The remedy of each of them. */
const remedies: Readonly<Record<AgentIdentityError["_tag"], Remedy>> = {
  HttpTimedOut: "retry",
  HttpConnectionFailed: "fixNetwork",
  HttpBodyTooLarge: "fixConfig",
  HttpRedirectNotAllowed: "fixConfig",
  HttpInsecureUrl: "fixConfig",
  HttpRequestInvalid: "fixInput",
  HttpConfigurationInvalid: "fixEnvironment",
  DispatcherNotSupported: "fixInput",
  BaseUrlInvalid: "fixConfig",
  BaseUrlInsecure: "fixConfig",
  PathSegmentInvalid: "fixInput",
  JwksRequestFailed: "fixNetwork",
  JwksEndpointError: "retry",
  JwksMalformed: "fixConfig",
  JwtFormatInvalid: "fixInput",
  JwtHeaderMalformed: "fixInput",
  JwtAlgorithmNotAllowed: "signIn",
  JwtCriticalHeaderUnsupported: "signIn",
  JwtKidMissing: "signIn",
  JwksKeyNotFound: "fixConfig",
  JwtSignatureInvalid: "signIn",
  JwtExpired: "signIn",
  JwtNotYetValid: "retry",
  JwtIssuerMismatch: "fixConfig",
  JwtAudienceMismatch: "signIn",
  JwtClaimInvalid: "signIn",
  AgentKeyMalformed: "signIn",
  AgentPublicKeyMalformed: "fixInput",
  SealedBoxDecryptionFailed: "fixInput",
  AssertionMalformed: "fixInput",
  AssertionAgentUnknown: "signIn",
  AssertionAgentMismatch: "fixInput",
  AssertionTaskMismatch: "retry",
  AssertionOutsideClockWindow: "retry",
  AssertionSignatureInvalid: "fixInput",
  AssertionReplayed: "retry",
  AssertionLookupFailed: "retry",
  StoredAgentIdentityInvalid: "signIn",
  TaskRegistrationRejected: "retry",
  TaskRegistrationRequestFailed: "fixNetwork",
  TaskRegistrationResponseMalformed: "fixConfig",
  TaskIdMissing: "fixConfig",
  TaskIdDecryptionFailed: "signIn",
  AccessTokenUnavailable: "signIn",
  BiscuitRejected: "retry",
  BiscuitRequestFailed: "fixNetwork",
  AgentRegistrationRejected: "retry",
  AgentRegistrationRequestFailed: "fixNetwork",
  AgentRegistrationResponseMalformed: "fixConfig",
  ClientClosed: "fixInput",
  NodeTooOld: "fixEnvironment",
};

const refused = (code: number) =>
  new errors.TaskRegistrationRejected({ ...status, status: code, attempts: 1 });

describe("errors", () => {
  it.each(pinned.map(([error, message]) => ({ error, message, tag: error._tag })))(
    "$tag has the message: $message",
    ({ error, message }) => {
      expect(error.message).toBe(message);
      expect(error).toBeInstanceOf(Error);
      expect(error.name).toBe(error._tag);
      expect(error.code).toMatch(/^AGENT_IDENTITY_[A-Z_]+$/);
      expect(error.hint).toMatch(/^[A-Z`].+\.$/);
      expect(error.remedy).toBe(remedies[error._tag]);
    },
  );

  it("has one code per class, and every class is listed above", () => {
    const classes = Object.values(errors).filter(
      (value) => typeof value === "function" && value.prototype instanceof Error,
    );
    const codes = new Set<AgentIdentityErrorCode>(pinned.map(([error]) => error.code));
    expect(codes.size).toBe(pinned.length);
    expect(new Set(pinned.map(([error]) => error._tag)).size).toBe(classes.length);
  });

  it("recognises errors of this package by shape, also those of another copy or realm", () => {
    for (const [error] of pinned) expect(errors.isAgentIdentityError(error)).toBe(true);
    const { _tag, code, message, hint, remedy } = new errors.JwtKidMissing();
    expect(errors.isAgentIdentityError({ _tag, code, message, hint, remedy })).toBe(true);
    const systemError = Object.assign(new Error("no such file"), { code: "ENOENT" });
    const others = [
      new Error("x"),
      systemError,
      { _tag, code: "LOGIN_X", message, hint, remedy },
      { _tag, code, message, hint },
      "text",
      null,
      undefined,
    ];
    for (const other of others) expect(errors.isAgentIdentityError(other)).toBe(false);
  });

  it("suggests a retry or a new sign-in by the status of a rejected registration", () => {
    expect(refused(503).hint).toBe("Try again later.");
    expect(refused(429).hint).toBe("Try again later.");
    expect(refused(403).hint).toBe("Sign in again with a valid agent identity.");
  });

  it("suggests setting the clock, not signing in again, if the timestamp was rejected", () => {
    const body = '{"error":{"code":"stale_timestamp"}}';
    const error = new errors.TaskRegistrationRejected({
      ...status,
      status: 401,
      body,
      attempts: 1,
    });
    expect(error.hint).toBe("Set the clock of this machine, then try again.");
  });
});
