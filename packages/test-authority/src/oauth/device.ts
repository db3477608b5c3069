import { randomBytes } from "node:crypto";
import * as z from "zod";
import type { HttpResponse } from "../http/response.ts";
import { badRequest, forbidden, json, notFound } from "../http/response.ts";
import { parseForm, parseJson } from "../http/body.ts";
import { consentPage } from "../pages/consent.ts";
import { deviceCodePage } from "../pages/device-code.ts";
import { messagePage } from "../pages/layout.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { path } from "../http/router.ts";
import type { AuthorityState } from "../state.ts";
import type { Decision } from "./authorize.ts";
import type { DeviceAuthorization } from "./store.ts";
import { challengeOf } from "./store.ts";
import { defaultScope } from "./tokens.ts";

const Begin = z.object({ client_id: z.string().min(1) });

const begin = ({ state, request }: RequestContext): HttpResponse => {
  const { settings, clock, oauth } = state;
  if (!settings.deviceSignInEnabled)
    throw notFound("device_sign_in_disabled", "device sign-in is not enabled here");
  const { client_id } = parseJson(request, Begin);
  const expiresAtMs = clock.nowMs() + settings.deviceCodeSeconds * 1000;
  const { deviceAuthId, userCode } = oauth.addDevice(client_id, expiresAtMs);
  const { deviceIntervalSeconds, deviceUserCodeField } = settings;
  return json(200, {
    device_auth_id: deviceAuthId,
    [deviceUserCodeField]: userCode,
    ...(deviceIntervalSeconds === null ? {} : { interval: deviceIntervalSeconds }),
    expires_at: new Date(expiresAtMs).toISOString(),
  });
};

const Poll = z.object({ device_auth_id: z.string().min(1), user_code: z.string().min(1) });

const isOver = (state: AuthorityState, device: DeviceAuthorization): boolean =>
  device.expiresAtMs <= state.clock.nowMs() || device.collected;

/** The authorization code of a device sign-in, with the verifier that the authority generated for it. */
const collect = (state: AuthorityState, device: DeviceAuthorization): HttpResponse => {
  if (typeof device.decision === "string")
    throw new TypeError("the device sign-in is not approved");
  device.collected = true;
  const codeVerifier = randomBytes(32).toString("base64url");
  const codeChallenge = challengeOf(codeVerifier);
  const code = state.oauth.addCode({
    account: device.decision.account,
    clientId: device.clientId,
    redirectUri: `${state.origin}/deviceauth/callback`,
    codeChallenge,
    scope: defaultScope,
    expiresAtMs: state.clock.nowMs() + state.settings.authorizationCodeSeconds * 1000,
  });
  return json(200, {
    authorization_code: code,
    code_challenge: codeChallenge,
    code_verifier: codeVerifier,
  });
};

const poll = ({ state, request }: RequestContext): HttpResponse => {
  const given = parseJson(request, Poll);
  const device = state.oauth.devices.get(given.device_auth_id);
  if (device === undefined || device.userCode !== given.user_code)
    throw notFound("deviceauth_unknown", "this device sign-in is unknown");
  if (isOver(state, device)) throw badRequest("expired_token", "the code has expired");
  if (device.decision === "pending")
    throw forbidden("deviceauth_authorization_pending", "the user has not decided yet");
  if (device.decision === "denied")
    throw badRequest("access_denied", "the user denied the request");
  return collect(state, device);
};

const openDevice = (state: AuthorityState, userCode: string): DeviceAuthorization | undefined => {
  const device = state.oauth.deviceByUserCode(userCode);
  const isOpen = device !== undefined && !isOver(state, device) && device.decision === "pending";
  return isOpen ? device : undefined;
};

/** Decides a device sign-in as its page does. Returns whether the code was pending. */
export const decideDevice = (
  state: AuthorityState,
  userCode: string,
  { decision, account = state.account }: Decision,
): boolean => {
  const device = openDevice(state, userCode);
  if (device === undefined) return false;
  device.decision = decision === "approve" ? { account } : "denied";
  return true;
};

const noSuchCode = "This code is unknown, was already used, or has expired.";
const CodeForm = z.object({ user_code: z.string() });

const enterCode = ({ state, request }: RequestContext): HttpResponse => {
  const { user_code } = parseForm(request, CodeForm);
  const device = openDevice(state, user_code);
  if (device === undefined) return deviceCodePage(400, user_code, noSuchCode);
  return consentPage({
    action: "/codex/device/decide",
    hidden: { user_code: device.userCode },
    accounts: state.directory.accounts,
    allowedWorkspaceIds: [],
    clientId: device.clientId,
  });
};

const DecisionForm = z.object({
  user_code: z.string(),
  account: z.string().optional(),
  decision: z.enum(["approve", "deny"]),
});

const decide = ({ state, request }: RequestContext): HttpResponse => {
  const { user_code, account, decision } = parseForm(request, DecisionForm);
  const chosen = state.directory.accounts.find((one) => one.accountId === account);
  if (decision === "approve" && chosen === undefined)
    return messagePage(400, "No workspace chosen", "Go back and choose a workspace.");
  const decided = chosen === undefined ? { decision } : { decision, account: chosen };
  if (!decideDevice(state, user_code, decided)) return deviceCodePage(400, user_code, noSuchCode);
  return decision === "approve"
    ? messagePage(
        200,
        "Device signed in",
        "You can close this window and go back to your terminal.",
      )
    : messagePage(200, "Sign-in denied", "Nothing was shared. You can close this window.");
};

/** The device flow: two endpoints for the client, two pages for the user, and the callback. */
export const deviceRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "deviceUserCode",
    method: "POST",
    pattern: path("/api/accounts/deviceauth/usercode"),
    handle: begin,
  },
  {
    endpoint: "deviceToken",
    method: "POST",
    pattern: path("/api/accounts/deviceauth/token"),
    handle: poll,
  },
  {
    endpoint: "devicePage",
    method: "GET",
    pattern: path("/codex/device"),
    handle: () => deviceCodePage(200, "", undefined),
  },
  { endpoint: "devicePage", method: "POST", pattern: path("/codex/device"), handle: enterCode },
  {
    endpoint: "deviceDecide",
    method: "POST",
    pattern: path("/codex/device/decide"),
    handle: decide,
  },
  {
    endpoint: "deviceCallback",
    method: "GET",
    pattern: path("/deviceauth/callback"),
    handle: () => messagePage(200, "Device signed in", "You can close this window."),
  },
];
