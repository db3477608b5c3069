import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import type { GatewaySessionConfig } from "../config/types.ts";
import { GatewayAuthFailed } from "../errors/gateway.ts";
import { compact } from "../internal/compact.ts";
import { isSuccess, parseResponse } from "../oauth/request.ts";
import { parseServerError } from "../oauth/server-error.ts";
import { type GatewayTokenSet, newAuthorizationId } from "./store.ts";

/** A sign-in to a gateway: its client, and the id of the model provider for errors. */
export interface GatewayClient {
  readonly providerId: string;
  readonly config: GatewaySessionConfig;
}

const timeoutMs = 20_000;

/** What an endpoint answered: the JSON of a success, or the error code of a refusal (RFC 6749 §5.2). */
export type Answer =
  | { readonly _tag: "Success"; readonly body: string }
  | { readonly _tag: "Refused"; readonly status: number; readonly error: string };

/** Posts a form of the public client to one of its endpoints. Redirects are not followed. */
export const postForm = Effect.fnUntraced(function* (
  client: GatewayClient,
  step: GatewayAuthFailed["step"],
  url: string,
  form: Readonly<Record<string, string | undefined>>,
): Effect.fn.Return<Answer, GatewayAuthFailed, HttpTransport> {
  const transport = yield* HttpTransport;
  const fields = compact({ ...form, client_id: client.config.clientId });
  const response = yield* transport
    .request({
      method: "POST",
      url,
      headers: {
        accept: "application/json",
        "content-type": "application/x-www-form-urlencoded",
      },
      body: Redacted.make(new URLSearchParams(Object.entries(fields)).toString(), {
        label: "gateway request",
      }),
      timeoutMs,
      followRedirects: false,
    })
    .pipe(
      Effect.mapError(
        ({ hint, message: reason, remedy }) =>
          new GatewayAuthFailed({ providerId: client.providerId, step, reason, hint, remedy }),
      ),
    );
  const { body, status } = response;
  return isSuccess(response)
    ? { _tag: "Success", body }
    : { _tag: "Refused", status, error: parseServerError(body).error ?? `status ${status}` };
});

const TokenResponse = z.object({
  access_token: z.string().check(z.minLength(1)),
  token_type: z.optional(z.string()),
  expires_in: z.nullish(z.number().check(z.gt(0))),
  refresh_token: z.nullish(z.string()),
});

/** Returns the tokens in the response to a grant. A refresh keeps the former refresh token if the response has none. */
export const readTokens = Effect.fnUntraced(function* (
  client: GatewayClient,
  step: GatewayAuthFailed["step"],
  body: string,
  before?: GatewayTokenSet,
): Effect.fn.Return<GatewayTokenSet, GatewayAuthFailed> {
  const parsed = parseResponse(TokenResponse, body);
  const nowMs = yield* Clock.currentTimeMillis;
  if ("problem" in parsed)
    return yield* failed(client, step, `unusable response: ${parsed.problem}`);
  const { access_token, expires_in, refresh_token, token_type = "Bearer" } = parsed.value;
  if (token_type.toLowerCase() !== "bearer")
    return yield* failed(client, step, "the token is not a bearer token");
  return compact({
    accessToken: Redacted.make(access_token, { label: "gateway token" }),
    refreshToken:
      typeof refresh_token === "string"
        ? Redacted.make(refresh_token, { label: "gateway refresh token" })
        : before?.refreshToken,
    expiresAtMs: typeof expires_in === "number" ? nowMs + expires_in * 1000 : undefined,
    authorizationId: before?.authorizationId ?? newAuthorizationId(),
  });
});

/** An error that only another attempt, or the operator of the gateway, can resolve. */
export const failed = (
  { providerId }: GatewayClient,
  step: GatewayAuthFailed["step"],
  reason: string,
): GatewayAuthFailed =>
  new GatewayAuthFailed({
    providerId,
    step,
    reason,
    hint: "Check gateway_oauth in config.toml, or ask the operator of the gateway.",
    remedy: "fixConfig",
  });
