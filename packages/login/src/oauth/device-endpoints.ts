import {
  type HttpResponse,
  type HttpTransport,
  isTransientStatus,
} from "@agent-auth/agent-identity/http";
import * as Cause from "effect/Cause";
import * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Schedule from "effect/Schedule";
import * as z from "zod/mini";
import {
  AuthorityResponseInvalid,
  AuthorizationDenied,
  DeviceCodeExpired,
  DeviceCodeNotEnabled,
  DeviceCodeRejected,
  type SignInError,
} from "../errors/oauth.ts";
import type { Authority } from "./authority.ts";
import { isSuccess, parseResponse, postJson } from "./request.ts";
import { parseServerError } from "./server-error.ts";

/** A code that a person has to enter. */
export interface PendingDeviceCode {
  /** The authority's id of this sign-in. A secret: anyone who has it can fetch the authorization code. */
  readonly deviceAuthId: Redacted.Redacted;
  readonly userCode: string;
  readonly intervalMs: number;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
  readonly timeoutMs: number;
}

/** The authorization code, with the PKCE verifier that the authority itself made for this flow. */
export interface GrantedCode {
  readonly authorizationCode: string;
  readonly codeVerifier: string;
}

const secret = z.string().check(z.minLength(1));
/** A person types it, and it is written to a terminal: printable ASCII only. */
const userCode = z.string().check(z.regex(/^[\x21-\x7e]{1,64}$/));
const UserCodeResponse = z
  .object({
    device_auth_id: secret,
    user_code: z.optional(userCode),
    usercode: z.optional(userCode),
    interval: z.optional(z.unknown()),
  })
  .check(
    z.refine((response) => (response.user_code ?? response.usercode) !== undefined, {
      path: ["user_code"],
    }),
  );
const GrantedCodeResponse = z.object({ authorization_code: secret, code_verifier: secret });

/** Requests a code. Status 404 means that the authority, or the account's workspace, does not allow device codes. */
export const requestUserCode = Effect.fnUntraced(function* (
  authority: Authority,
  timeoutMs: number,
): Effect.fn.Return<PendingDeviceCode, SignInError, HttpTransport> {
  const endpoint = `${authority.issuer}/api/accounts/deviceauth/usercode`;
  const response = yield* postJson(endpoint, { client_id: authority.clientId });
  const { body, status } = response;
  if (status === 404) return yield* new DeviceCodeNotEnabled({ issuer: authority.issuer });
  if (!isSuccess(response)) {
    return yield* new DeviceCodeRejected({ status, ...parseServerError(body) });
  }
  const parsed = parseResponse(UserCodeResponse, body);
  if ("problem" in parsed) {
    return yield* new AuthorityResponseInvalid({ endpoint, reason: parsed.problem });
  }
  const { device_auth_id, interval, user_code, usercode } = parsed.value;
  return {
    deviceAuthId: Redacted.make(device_auth_id, { label: "device_auth_id" }),
    userCode: user_code ?? usercode ?? "",
    intervalMs: intervalSeconds(interval) * 1000,
    expiresAtMs: (yield* Clock.currentTimeMillis) + timeoutMs,
    timeoutMs,
  };
});

/** A number or a string. At least a second, at most a minute; five seconds if the authority states nothing usable. */
const intervalSeconds = (given: unknown): number => {
  const seconds = typeof given === "string" || typeof given === "number" ? Number(given) : 0;
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(Math.max(seconds, 1), 60) : 5;
};

/** Failures in a row after which polling ends, though each of them alone may be temporary. */
const maxFailures = 5;

/**
 * Polls until the person has entered the code, and returns the authorization code. Statuses 403 and 404 mean "not yet".
 * Up to four failures in a row that may be temporary (429, 5xx, no connection) are retried, each after a longer pause.
 */
export const pollForCode = (
  authority: Authority,
  code: PendingDeviceCode,
): Effect.Effect<GrantedCode, SignInError, HttpTransport> =>
  poll(authority, code).pipe(
    Effect.retry({ schedule: pollSchedule(code), while: isTemporary }),
    Effect.catchIf(
      (error) => error === "pending",
      () => Effect.fail(new DeviceCodeExpired({ limitMs: code.timeoutMs })),
    ),
  );

/** "pending": the person has not entered the code yet. */
type PollError = SignInError | "pending";

/** Ends when the code expires, with a last poll at that moment, or after `maxFailures` failures in a row. */
const pollSchedule = (code: PendingDeviceCode): Schedule.Schedule<number, PollError> =>
  Schedule.fromStep(
    Effect.sync(() => {
      let failures = 0;
      return (nowMs: number, error: PollError) => {
        failures = error === "pending" ? 0 : failures + 1;
        const leftMs = code.expiresAtMs - nowMs;
        if (leftMs <= 0 || failures >= maxFailures) return Cause.done(failures);
        const pauseMs = Math.min(code.intervalMs * Math.max(1, failures), leftMs);
        return Effect.succeed<[number, Duration.Duration]>([failures, Duration.millis(pauseMs)]);
      };
    }),
  );

const isTemporary = (error: PollError): boolean =>
  error === "pending" ||
  error._tag === "AuthorityUnreachable" ||
  (error._tag === "DeviceCodeRejected" && isTransientStatus(error.status));

const poll = Effect.fnUntraced(function* (
  authority: Authority,
  code: PendingDeviceCode,
): Effect.fn.Return<GrantedCode, PollError, HttpTransport> {
  const endpoint = `${authority.issuer}/api/accounts/deviceauth/token`;
  const deviceAuthId = Redacted.value(code.deviceAuthId);
  const response = yield* postJson(endpoint, {
    device_auth_id: deviceAuthId,
    user_code: code.userCode,
  });
  if (response.status === 403 || response.status === 404)
    return yield* Effect.fail("pending" as const);
  if (!isSuccess(response)) return yield* fromErrorResponse(response, [deviceAuthId], code);
  const parsed = parseResponse(GrantedCodeResponse, response.body);
  if ("problem" in parsed) {
    return yield* new AuthorityResponseInvalid({ endpoint, reason: parsed.problem });
  }
  const { authorization_code, code_verifier } = parsed.value;
  return { authorizationCode: authorization_code, codeVerifier: code_verifier };
});

const fromErrorResponse = (
  { status, body }: HttpResponse,
  secrets: ReadonlyArray<string>,
  code: PendingDeviceCode,
): AuthorizationDenied | DeviceCodeExpired | DeviceCodeRejected => {
  const details = parseServerError(body, secrets);
  const { description, error } = details;
  if (error === "access_denied" || error === "authorization_declined") {
    return new AuthorizationDenied(description === undefined ? {} : { description });
  }
  if (error === "expired_token") return new DeviceCodeExpired({ limitMs: code.timeoutMs });
  return new DeviceCodeRejected({ status, ...details });
};
