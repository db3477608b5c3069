import type { HttpTransportError } from "@agent-auth/agent-identity/errors";
import { HttpTransport, type HttpResponse, isSuccessStatus } from "@agent-auth/agent-identity/http";
import { requestTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Schedule from "effect/Schedule";
import * as z from "zod/mini";
import {
  AuthorityResponseInvalid,
  AuthorityUnreachable,
  IssuerInvalid,
  type SignInError,
} from "../errors/oauth.ts";
import { describeConnectionCode } from "../http/connection-error.ts";
import { parseJsonObject } from "@agent-auth/agent-identity/encoding";

/** Sends JSON to an endpoint of the authority and returns the response of any status. */
export const sendJson = (
  url: string,
  body: object,
  timeoutMs: number,
): Effect.Effect<HttpResponse, HttpTransportError, HttpTransport> =>
  HttpTransport.use((transport) =>
    transport.request({
      method: "POST",
      url,
      headers: { accept: "application/json", "content-type": "application/json" },
      body: Redacted.make(JSON.stringify(body), { label: "request body" }),
      timeoutMs,
    }),
  );

/** Sends JSON as part of a sign-in. */
export const postJson = (
  url: string,
  body: Readonly<Record<string, string>>,
): Effect.Effect<HttpResponse, SignInError, HttpTransport> =>
  Effect.mapError(sendJson(url, body, requestTimeoutMs), (error) => fromTransportError(url, error));

/** Attempts of a request to a token endpoint, and the longest `Retry-After` that they wait for. */
export const maxAttempts = 3;
export const maxRetryAfterMs = 5_000;

/** The pauses between attempts: 250 ms, 500 ms, give or take a fifth, or what `Retry-After` says. */
export const retryPauses = <E>(retryAfterMsOf: (error: E) => number | undefined) =>
  Schedule.exponential(250).pipe(
    Schedule.setInputType<E>(),
    Schedule.jittered,
    Schedule.upTo({ times: maxAttempts - 1 }),
    Schedule.modifyDelay(({ duration, input }) =>
      Effect.succeed(Duration.max(duration, Duration.millis(retryAfterMsOf(input) ?? 0))),
    ),
  );

/** Returns whether the status of a response is 2xx. */
export const isSuccess = ({ status }: HttpResponse): boolean => isSuccessStatus(status);

/** Parses a JSON response whose names are unique. `problem` names the members that are missing or have the wrong type, and quotes no value. */
export const parseResponse = <T>(
  schema: z.ZodMiniType<T>,
  body: string,
): { readonly value: T } | { readonly problem: string } => {
  const json = parseJsonObject(Buffer.from(body));
  if (typeof json === "string") return { problem: `it ${json}` };
  const parsed = z.safeParse(schema, json);
  if (parsed.success) return { value: parsed.data };
  const paths = new Set(parsed.error.issues.map(({ path }) => path.join(".") || "the body"));
  return { problem: `${[...paths].join(", ")} missing or of the wrong type` };
};

/** Turns the error of a request that got no response into the error of a sign-in. Hint and remedy are kept. */
export const fromTransportError = (url: string, error: HttpTransportError): SignInError => {
  const origin = URL.parse(url)?.origin ?? url;
  switch (error._tag) {
    case "HttpConnectionFailed": {
      const { hint, reason, remedy } = error;
      return new AuthorityUnreachable({
        origin,
        reason: describeConnectionCode(reason),
        // The error of a failed proxy has a more specific hint and remedy.
        ...(error.causeCode !== undefined && { hint, remedy }),
      });
    }
    case "HttpTimedOut":
      return new AuthorityUnreachable({
        origin,
        reason: `no response within ${error.timeoutMs / 1000} s`,
      });
    case "HttpConfigurationInvalid":
      return error; // it names the setting
    case "HttpInsecureUrl":
    case "HttpRequestInvalid":
      return new IssuerInvalid({ issuer: origin, reason: error.message });
    default:
      return new AuthorityResponseInvalid({ endpoint: url, reason: error.message });
  }
};
