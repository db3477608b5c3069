import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { isHttpsOrLoopback } from "@agent-auth/agent-identity/urls";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as z from "zod/mini";
import type { GatewayAuthFailed } from "../errors/gateway.ts";
import { parseResponse } from "../oauth/request.ts";
import type { GatewayTokenSet } from "./store.ts";
import { failed, type GatewayClient, postForm, readTokens } from "./token-endpoint.ts";

/** What the user has to do (RFC 8628 §3.2). */
export interface GatewayDevicePrompt {
  readonly verificationUrl: string;
  readonly userCode: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

const DeviceResponse = z.object({
  device_code: z.string().check(z.minLength(1)),
  user_code: z.string().check(z.minLength(1)),
  verification_uri: z.string().check(z.minLength(1)),
  expires_in: z.number().check(z.gt(0)),
  interval: z.nullish(z.number().check(z.gte(0))),
});

/**
 * Returns the address of a page, as a browser would read it, if a user may be sent there: https, or http to a loopback
 * host, without user name and password, which could make it look like another one.
 */
const pageAddress = (text: string): string | undefined => {
  const url = URL.parse(text);
  return url !== null && isHttpsOrLoopback(url) && url.username === "" && url.password === ""
    ? url.href
    : undefined;
};

/**
 * Signs in to a gateway with a code that the user enters on any device (RFC 8628).
 *
 * @example
 * ```ts
 * import { type GatewayClient, signInToGatewayWithDevice } from "@agent-auth/login/gateway-oauth";
 * import * as Effect from "effect/Effect";
 *
 * const signIn = (client: GatewayClient) =>
 *   signInToGatewayWithDevice({
 *     ...client,
 *     onCode: ({ userCode, verificationUrl }) => Effect.log(`Enter ${userCode} at ${verificationUrl}`),
 *   });
 * ```
 */
export const signInToGatewayWithDevice = Effect.fn("login.signInToGatewayWithDevice")(function* (
  options: GatewayClient & {
    readonly onCode: (prompt: GatewayDevicePrompt) => Effect.Effect<void>;
  },
): Effect.fn.Return<GatewayTokenSet, GatewayAuthFailed, HttpTransport> {
  const { config, onCode } = options;
  const url = config.deviceAuthorizationUrl;
  if (url === undefined)
    return yield* failed(options, "sign-in", "device_authorization_url is not configured");
  const scope = config.scopes.length === 0 ? undefined : config.scopes.join(" ");
  const begun = yield* postForm(options, "sign-in", url, { scope, resource: config.resource });
  if (begun._tag === "Refused")
    return yield* failed(options, "sign-in", `the server responded with ${begun.error}`);
  const parsed = parseResponse(DeviceResponse, begun.body);
  if ("problem" in parsed)
    return yield* failed(options, "sign-in", `unusable response: ${parsed.problem}`);
  const device = parsed.value;
  const verificationUrl = pageAddress(device.verification_uri);
  if (verificationUrl === undefined)
    return yield* failed(
      options,
      "sign-in",
      "the page for the code is not an https address (verification_uri)",
    );
  const expiresAtMs = (yield* Clock.currentTimeMillis) + device.expires_in * 1000;
  yield* onCode({
    verificationUrl,
    userCode: device.user_code,
    expiresAtMs,
  });
  let pauseMs = (device.interval ?? 5) * 1000;
  while ((yield* Clock.currentTimeMillis) < expiresAtMs) {
    yield* Effect.sleep(pauseMs);
    const answer = yield* postForm(options, "sign-in", config.tokenUrl, {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: device.device_code,
      resource: config.resource,
    });
    if (answer._tag === "Success") return yield* readTokens(options, "sign-in", answer.body);
    if (answer.error === "slow_down") pauseMs += 5_000;
    else if (answer.error !== "authorization_pending")
      return yield* failed(options, "sign-in", `the server responded with ${answer.error}`);
  }
  return yield* failed(options, "sign-in", "the code was not entered in time");
});
