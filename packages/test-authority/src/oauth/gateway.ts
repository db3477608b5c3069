import * as z from "zod";
import { parseForm } from "../http/body.ts";
import type { HttpResponse } from "../http/response.ts";
import { json, redirect, unauthorized } from "../http/response.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { path } from "../http/router.ts";
import { randomToken } from "../identities/accounts.ts";
import type { AuthorityState } from "../state.ts";
import { challengeOf } from "./store.ts";

// The OAuth server of a company's gateway, and the gateway itself. It knows one public client, and approves at once.

/** The client id of the gateway's OAuth server. */
export const gatewayClientId = "gw-client";

/** Enters a device's code in the gateway's page. Returns whether it was pending. */
export const approveGatewayDevice = ({ gateway }: AuthorityState, userCode: string): boolean => {
  const device = [...gateway.devices.values()].find((one) => one.userCode === userCode);
  if (device !== undefined) device.isApproved = true;
  return device !== undefined;
};

/** Enters the codes of all devices that wait. */
export const approveAllGatewayDevices = ({ gateway }: AuthorityState): void => {
  for (const device of gateway.devices.values()) device.isApproved = true;
};

/** Ends every token of the gateway: the next request with one gets 401. Refresh tokens stay. */
export const expireGatewayTokens = ({ gateway }: AuthorityState): void =>
  gateway.accessTokens.clear();

/** Ends every sign-in to the gateway. */
export const revokeGatewaySignIns = ({ gateway }: AuthorityState): void => {
  gateway.accessTokens.clear();
  gateway.refreshTokens.clear();
};

const refuse = (error: string, status = 400): HttpResponse => json(status, { error });

const authorize = ({ state, request }: RequestContext): HttpResponse => {
  const { query } = request;
  const redirectUri = query.get("redirect_uri") ?? "";
  const challenge = query.get("code_challenge") ?? "";
  if (
    query.get("client_id") !== gatewayClientId ||
    query.get("response_type") !== "code" ||
    query.get("code_challenge_method") !== "S256" ||
    !/^http:\/\/127\.0\.0\.1:\d+\/callback$/.test(redirectUri)
  )
    return refuse("invalid_request");
  const callback = new URL(redirectUri);
  const { consent, wrongState } = state.settings;
  callback.searchParams.set("state", `${query.get("state")}${wrongState ? "x" : ""}`);
  if (consent === "deny") callback.searchParams.set("error", "access_denied");
  else {
    const code = randomToken("gwc-");
    state.gateway.codes.set(code, { challenge, redirectUri });
    callback.searchParams.set("code", code);
  }
  return redirect(callback.href);
};

const device = ({ state, request }: RequestContext): HttpResponse => {
  if (request.form().get("client_id") !== gatewayClientId) return refuse("invalid_client", 401);
  const deviceCode = randomToken("gwd-");
  const userCode = randomToken("", 3).toUpperCase();
  state.gateway.devices.set(deviceCode, { userCode, isApproved: false });
  return json(200, {
    device_code: deviceCode,
    user_code: userCode,
    verification_uri: `${state.origin}/gateway/activate`,
    expires_in: state.settings.deviceCodeSeconds,
    interval: Number(state.settings.deviceIntervalSeconds ?? 5),
  });
};

const Grant = z.object({
  grant_type: z.string(),
  client_id: z.literal(gatewayClientId),
  code: z.string().optional(),
  code_verifier: z.string().optional(),
  redirect_uri: z.string().optional(),
  device_code: z.string().optional(),
  refresh_token: z.string().optional(),
});

const token = ({ state, request }: RequestContext): HttpResponse => {
  const given = parseForm(request, Grant);
  const { gateway } = state;
  switch (given.grant_type) {
    case "authorization_code": {
      const code = gateway.codes.get(given.code ?? "");
      gateway.codes.delete(given.code ?? "");
      return code !== undefined &&
        code.redirectUri === given.redirect_uri &&
        code.challenge === challengeOf(given.code_verifier ?? "")
        ? issue(state)
        : refuse("invalid_grant");
    }
    case "urn:ietf:params:oauth:grant-type:device_code": {
      const found = gateway.devices.get(given.device_code ?? "");
      if (found === undefined) return refuse("invalid_grant");
      if (!found.isApproved) return refuse("authorization_pending");
      gateway.devices.delete(given.device_code ?? "");
      return issue(state);
    }
    case "refresh_token":
      return gateway.refreshTokens.delete(given.refresh_token ?? "")
        ? issue(state)
        : refuse("invalid_grant");
    default:
      return refuse("unsupported_grant_type");
  }
};

const issue = (state: AuthorityState): HttpResponse => {
  const { gateway, settings } = state;
  const accessToken = randomToken("gw-access-");
  const refreshToken = randomToken("gw-refresh-");
  const expiresInSeconds = settings.accessTokenSeconds;
  gateway.accessTokens.set(accessToken, state.clock.nowMs() + expiresInSeconds * 1000);
  gateway.refreshTokens.add(refreshToken);
  return json(200, {
    access_token: accessToken,
    token_type: "Bearer",
    expires_in: expiresInSeconds,
    refresh_token: refreshToken,
  });
};

/** A model behind the gateway: the token is a bearer token, in `X-Gateway-Auth`, or in the cookie `gateway_session`. */
const models = ({ state, request }: RequestContext): HttpResponse => {
  const { authorization, cookie } = request.headers;
  const custom = request.headers["x-gateway-auth"];
  const given =
    (typeof custom === "string" ? custom.replace(/^Bearer /, "") : undefined) ??
    /(?:^|; )gateway_session=([^;]*)/.exec(cookie ?? "")?.[1] ??
    authorization?.replace(/^Bearer /, "") ??
    "";
  const expiresAtMs = state.gateway.accessTokens.get(given);
  if (expiresAtMs === undefined || expiresAtMs <= state.clock.nowMs())
    throw unauthorized("gateway_token_invalid", "the gateway does not know the token");
  return json(200, { object: "list", data: [] });
};

export const gatewayRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "gatewayAuthorize",
    method: "GET",
    pattern: path("/gateway/authorize"),
    handle: authorize,
  },
  { endpoint: "gatewayDevice", method: "POST", pattern: path("/gateway/device"), handle: device },
  { endpoint: "gatewayToken", method: "POST", pattern: path("/gateway/token"), handle: token },
  { endpoint: "gatewayModels", method: "GET", pattern: path("/gateway/v1/models"), handle: models },
];
