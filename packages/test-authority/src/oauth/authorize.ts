import * as z from "zod";
import type { Account } from "../identities/accounts.ts";
import type { HttpResponse } from "../http/response.ts";
import { redirect } from "../http/response.ts";
import { parseForm } from "../http/body.ts";
import { SignInLinkBroken } from "../errors.ts";
import { consentPage } from "../pages/consent.ts";
import { messagePage } from "../pages/layout.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { path } from "../http/router.ts";
import type { AuthorityState } from "../state.ts";
import type { AuthorizationRequest } from "./store.ts";

/** A user's decision. Without an account, the authority's first one is used. */
export interface Decision {
  readonly decision: "approve" | "deny";
  readonly account?: Account;
}

const loopbackRedirect = /^http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost):\d{1,5}\/auth\/callback$/;

const Parameters = z.object({
  response_type: z.literal("code"),
  state: z.string().min(1),
  code_challenge: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  code_challenge_method: z.literal("S256"),
  scope: z.string().default("openid"),
  nonce: z.string().optional(),
  allowed_workspace_id: z.string().default(""),
});

/** The client and redirect URI of a request. Throws `SignInLinkBroken` if they cannot be trusted. */
const trustedRedirect = (query: URLSearchParams): { clientId: string; redirectUri: string } => {
  for (const name of new Set(query.keys()))
    if (query.getAll(name).length > 1)
      throw new SignInLinkBroken({ reason: `${name} is given more than once` });
  const clientId = query.get("client_id") ?? "";
  const redirectUri = query.get("redirect_uri") ?? "";
  if (clientId === "") throw new SignInLinkBroken({ reason: "client_id is missing" });
  if (!loopbackRedirect.test(redirectUri))
    throw new SignInLinkBroken({
      reason: "redirect_uri is not http://127.0.0.1:<port>/auth/callback",
    });
  return { clientId, redirectUri };
};

const callback = (redirectUri: string, parameters: Readonly<Record<string, string>>): string =>
  `${redirectUri}?${new URLSearchParams(parameters).toString()}`;

/** The redirect after a decision: with a code, or with an error (RFC 6749 §4.1.2). */
export const decideAuthorization = (
  state: AuthorityState,
  asked: AuthorizationRequest,
  { decision, account = state.account }: Decision,
): string => {
  const { settings, oauth, clock } = state;
  const stateParameter = settings.wrongState ? `${asked.state}x` : asked.state;
  if (decision === "deny")
    return callback(asked.redirectUri, {
      error: "access_denied",
      error_description: settings.denialDescription,
      state: stateParameter,
    });
  const { clientId, redirectUri, codeChallenge, scope, nonce } = asked;
  const code = oauth.addCode({
    account,
    clientId,
    redirectUri,
    codeChallenge,
    scope,
    ...(nonce === undefined ? {} : { nonce }),
    expiresAtMs: clock.nowMs() + settings.authorizationCodeSeconds * 1000,
  });
  return callback(redirectUri, { code, scope, state: stateParameter });
};

type Begun = { readonly asked: AuthorizationRequest } | { readonly location: string };

/** Checks an authorize URL's parameters. Errors that the client may see become a redirect. */
export const beginAuthorization = (query: URLSearchParams): Begun => {
  const { clientId, redirectUri } = trustedRedirect(query);
  const read = Parameters.safeParse(Object.fromEntries(query));
  if (!read.success) {
    const fault = read.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    const state = query.get("state");
    return {
      location: callback(redirectUri, {
        error: "invalid_request",
        error_description: fault.join("; "),
        ...(state === null ? {} : { state }),
      }),
    };
  }
  const { code_challenge, state, scope, nonce, allowed_workspace_id } = read.data;
  const allowedWorkspaceIds = allowed_workspace_id.split(",").filter((id) => id !== "");
  const asked = { clientId, redirectUri, codeChallenge: code_challenge, state, scope };
  return {
    asked: { ...asked, allowedWorkspaceIds, ...(nonce === undefined ? {} : { nonce }) },
  };
};

const authorize = ({ state, request }: RequestContext): HttpResponse => {
  try {
    const begun = beginAuthorization(request.query);
    if ("location" in begun) return redirect(begun.location);
    const { consent } = state.settings;
    if (consent !== "ask")
      return redirect(decideAuthorization(state, begun.asked, { decision: consent }));
    const id = state.oauth.addPending(begun.asked);
    return consentPage({
      action: "/oauth/authorize",
      hidden: { request: id },
      accounts: state.directory.accounts,
      allowedWorkspaceIds: begun.asked.allowedWorkspaceIds,
      clientId: begun.asked.clientId,
    });
  } catch (error) {
    if (error instanceof SignInLinkBroken)
      return messagePage(400, "Sign-in link is broken", `${error.reason}.`);
    throw error;
  }
};

/**
 * Decides an authorize URL as a user on its page would, without a browser. Returns the callback URL. Throws
 * `SignInLinkBroken` if the page would not redirect, and `TypeError` for an invalid URL.
 */
export const decideAuthorizeUrl = (
  state: AuthorityState,
  authorizeUrl: string,
  decision: Decision = { decision: "approve" },
): string => {
  const begun = beginAuthorization(new URL(authorizeUrl).searchParams);
  return "location" in begun ? begun.location : decideAuthorization(state, begun.asked, decision);
};

const DecisionForm = z.object({
  request: z.string(),
  account: z.string().optional(),
  decision: z.enum(["approve", "deny"]),
});

const decide = ({ state, request }: RequestContext): HttpResponse => {
  const given = parseForm(request, DecisionForm);
  const asked = state.oauth.pending.get(given.request);
  if (asked === undefined)
    return messagePage(400, "Already decided", "Start the sign-in again from your program.");
  const account = state.directory.accounts.find((one) => one.accountId === given.account);
  if (given.decision === "approve" && account === undefined)
    return messagePage(400, "No workspace chosen", "Go back and choose a workspace.");
  state.oauth.pending.delete(given.request);
  const { decision } = given;
  return redirect(
    decideAuthorization(state, asked, account === undefined ? { decision } : { decision, account }),
  );
};

/** The authorize page: consent, denial, choice of workspace. */
export const authorizeRoutes: ReadonlyArray<Route> = [
  { endpoint: "authorize", method: "GET", pattern: path("/oauth/authorize"), handle: authorize },
  { endpoint: "decide", method: "POST", pattern: path("/oauth/authorize"), handle: decide },
];
