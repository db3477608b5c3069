import { createHash, randomBytes } from "node:crypto";
import { codexClientId } from "@agent-auth/test-authority";
import type { TestAuthority } from "@agent-auth/test-authority";
import * as z from "zod";

export const redirectUri = "http://127.0.0.1:1455/auth/callback";

/** A sign-in as a program begins it. */
export const beginSignIn = (authority: TestAuthority, change: Record<string, string> = {}) => {
  const verifier = randomBytes(64).toString("base64url");
  const url = new URL(`${authority.issuer}/oauth/authorize`);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: codexClientId,
    redirect_uri: redirectUri,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    state: "state-of-the-program",
    scope: "openid profile email offline_access",
    ...change,
  }).toString();
  return { url: url.href, verifier };
};

export const postForm = (url: string, form: Record<string, string>, init: RequestInit = {}) =>
  fetch(url, { method: "POST", body: new URLSearchParams(form), redirect: "manual", ...init });

export const exchangeCode = (
  authority: TestAuthority,
  code: string,
  verifier: string,
  change: Record<string, string> = {},
) =>
  postForm(`${authority.issuer}/oauth/token`, {
    grant_type: "authorization_code",
    code,
    redirect_uri: redirectUri,
    client_id: codexClientId,
    code_verifier: verifier,
    ...change,
  });

export const Tokens = z.object({
  access_token: z.string(),
  id_token: z.string(),
  refresh_token: z.string(),
  expires_in: z.number(),
});

/** The code of a callback URL; empty where there is none. */
export const codeOf = (callbackUrl: string): string =>
  new URL(callbackUrl).searchParams.get("code") ?? "";

export const signIn = async (authority: TestAuthority) => {
  const { url, verifier } = beginSignIn(authority);
  const answer = await exchangeCode(authority, codeOf(authority.decideSignIn(url)), verifier);
  return Tokens.parse(await answer.json());
};

export const refresh = (authority: TestAuthority, refreshToken: string) =>
  fetch(`${authority.issuer}/oauth/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      client_id: codexClientId,
      grant_type: "refresh_token",
      refresh_reason: "forced",
      refresh_token: refreshToken,
    }),
  });
