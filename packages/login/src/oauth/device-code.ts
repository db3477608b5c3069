import { HttpTransport, type HttpResponse } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import {
  AuthorityAnswerUnreadable,
  AuthorizationDenied,
  DeviceCodeExpired,
  DeviceCodeNotEnabled,
  DeviceCodeRejected,
  type SignInError,
} from "../errors/oauth.ts";
import { fromTransportError, REQUEST_TIMEOUT_MS, type Authority } from "./authority.ts";
import { parseGrantedCode, parseUserCode, type GrantedCode } from "./device-response.ts";
import { parseServerError } from "./server-error.ts";

/** A code on its way to a person. */
export interface PendingCode {
  /** What the authority calls this sign-in; a secret, since it fetches the authorization code. */
  readonly deviceAuthId: Redacted.Redacted;
  readonly userCode: string;
  readonly intervalMs: number;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
  readonly limitMs: number;
}

/** How many polls in a row may fail for reasons that may pass, before the sign-in does. */
const PATIENCE = 5;

/** Asks for a code. 404 means that the authority, or the account's workspace, has device codes switched off. */
export const requestUserCode = Effect.fnUntraced(function* (
  authority: Authority,
  limitMs: number,
): Effect.fn.Return<PendingCode, SignInError, HttpTransport> {
  const endpoint = `${authority.issuer}/api/accounts/deviceauth/usercode`;
  const answer = yield* postJson(endpoint, { client_id: authority.clientId });
  if (answer.status === 404) return yield* new DeviceCodeNotEnabled({ issuer: authority.issuer });
  if (!isSuccess(answer)) {
    return yield* new DeviceCodeRejected({
      status: answer.status,
      ...parseServerError(answer.body),
    });
  }
  const read = parseUserCode(answer.body);
  if ("invalid" in read)
    return yield* new AuthorityAnswerUnreadable({ endpoint, reason: read.invalid });
  const nowMs = yield* Clock.currentTimeMillis;
  return { ...read, expiresAtMs: nowMs + limitMs, limitMs };
});

/**
 * Polls until the person has entered the code. 403 and 404 mean "not yet"; 429, 5xx and a network that is away are
 * waited out a few times in a row; the rest ends the sign-in.
 */
export const pollForCode = Effect.fnUntraced(function* (
  authority: Authority,
  code: PendingCode,
): Effect.fn.Return<GrantedCode, SignInError, HttpTransport> {
  let failures = 0;
  for (;;) {
    const polled = yield* Effect.result(poll(authority, code));
    if (polled._tag === "Success" && polled.success !== "pending") return polled.success;
    failures = polled._tag === "Success" ? 0 : failures + 1;
    if (polled._tag === "Failure" && (!mayPass(polled.failure) || failures >= PATIENCE)) {
      return yield* polled.failure;
    }
    const leftMs = code.expiresAtMs - (yield* Clock.currentTimeMillis);
    if (leftMs <= 0) return yield* new DeviceCodeExpired({ limitMs: code.limitMs });
    yield* Effect.sleep(Math.min(code.intervalMs * Math.max(1, failures), leftMs));
  }
});

const poll = Effect.fnUntraced(function* (
  authority: Authority,
  code: PendingCode,
): Effect.fn.Return<GrantedCode | "pending", SignInError, HttpTransport> {
  const endpoint = `${authority.issuer}/api/accounts/deviceauth/token`;
  const deviceAuthId = Redacted.value(code.deviceAuthId);
  const answer = yield* postJson(endpoint, {
    device_auth_id: deviceAuthId,
    user_code: code.userCode,
  });
  if (answer.status === 403 || answer.status === 404) return "pending";
  if (!isSuccess(answer)) return yield* toRejection(answer, [deviceAuthId], code.limitMs);
  const read = parseGrantedCode(answer.body);
  if ("invalid" in read)
    return yield* new AuthorityAnswerUnreadable({ endpoint, reason: read.invalid });
  return read;
});

const toRejection = (
  { status, body }: HttpResponse,
  secrets: ReadonlyArray<string>,
  limitMs: number,
): SignInError => {
  const told = parseServerError(body, secrets);
  if (told.error === "access_denied" || told.error === "authorization_declined") {
    return new AuthorizationDenied(
      told.description === undefined ? {} : { description: told.description },
    );
  }
  if (told.error === "expired_token") return new DeviceCodeExpired({ limitMs });
  return new DeviceCodeRejected({ status, ...told });
};

const mayPass = (error: SignInError): boolean =>
  error._tag === "AuthorityUnreachable" ||
  (error._tag === "DeviceCodeRejected" && (error.status === 429 || error.status >= 500));

const postJson = Effect.fnUntraced(function* (
  url: string,
  body: Readonly<Record<string, string>>,
): Effect.fn.Return<HttpResponse, SignInError, HttpTransport> {
  const transport = yield* HttpTransport;
  return yield* transport
    .request({
      method: "POST",
      url,
      headers: { accept: "application/json", "content-type": "application/json" },
      body: Redacted.make(JSON.stringify(body), { label: "device code request" }),
      timeoutMs: REQUEST_TIMEOUT_MS,
    })
    .pipe(Effect.mapError((error) => fromTransportError(url, error)));
});

const isSuccess = ({ status }: HttpResponse): boolean => status >= 200 && status <= 299;
