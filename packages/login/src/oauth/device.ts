import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import type { SignInError } from "../errors/oauth.ts";
import { parseAuthority, type AuthorityOptions } from "./authority.ts";
import { exchangeCode, type ChatgptTokens } from "./code-exchange.ts";
import { pollForCode, requestUserCode } from "./device-endpoints.ts";
import { openOAuthSession } from "./oauth-library.ts";

/** What a person has to do on any device with a browser. */
export interface DeviceCodePrompt {
  /** The code to enter in the page. Printable ASCII. */
  readonly userCode: string;
  readonly verificationUrl: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

export interface DeviceSignInOptions extends AuthorityOptions {
  /** Ids of the workspaces that may sign in. Empty or absent: any. */
  readonly allowedWorkspaceIds?: ReadonlyArray<string>;
  /** Milliseconds to wait for the code to be entered. Default 15 minutes, which is what the authority allows. */
  readonly timeoutMs?: number;
  /** Shows the code to the person. Called before the first poll. */
  readonly onCode: (prompt: DeviceCodePrompt) => Effect.Effect<void>;
}

const defaultTimeoutMs = 15 * 60_000;

/**
 * Signs a person in with a code that is entered on another device, and returns the tokens. Their claims are not verified,
 * nothing is saved, and no API key is requested. The protocol is the authority's own (docs/protocol.md §9), not RFC 8628.
 *
 * Fails with a `SignInError`; a connection that fails before the code is shown ends the sign-in, a later one is retried.
 *
 * @example
 * ```ts
 * import { layer as httpClient } from "@agent-auth/login/http";
 * import { signInWithDeviceCode } from "@agent-auth/login/oauth/device";
 * import * as Effect from "effect/Effect";
 *
 * const signIn = signInWithDeviceCode({
 *   issuer: "http://127.0.0.1:9", // leave out to sign in at https://auth.openai.com
 *   onCode: ({ userCode, verificationUrl }) =>
 *     Effect.sync(() => console.log(`Open ${verificationUrl} and enter ${userCode}`)),
 * }).pipe(Effect.provide(httpClient({})));
 *
 * const result = await Effect.runPromise(Effect.result(signIn));
 * if (result._tag === "Failure") result.failure.code; // "LOGIN_AUTHORITY_UNREACHABLE"
 * ```
 */
export const signInWithDeviceCode = Effect.fn("signInWithDeviceCode")(function* (
  options: DeviceSignInOptions,
): Effect.fn.Return<ChatgptTokens, SignInError, HttpTransport> {
  const authority = yield* parseAuthority(options);
  const code = yield* requestUserCode(authority, options.timeoutMs ?? defaultTimeoutMs);
  const { expiresAtMs, userCode } = code;
  const verificationUrl = `${authority.issuer}/codex/device`;
  yield* options.onCode({ userCode, verificationUrl, expiresAtMs });
  const granted = yield* pollForCode(authority, code);
  const session = yield* openOAuthSession(authority);
  const { oauth, server, client } = session;
  const parameters = oauth.validateAuthResponse(
    server,
    client,
    new URLSearchParams({ code: granted.authorizationCode }),
    oauth.expectNoState, // this code did not pass through a browser
  );
  return yield* exchangeCode(
    session,
    {
      parameters,
      redirectUri: `${authority.issuer}/deviceauth/callback`,
      codeVerifier: granted.codeVerifier,
    },
    (options.allowedWorkspaceIds ?? []).flatMap((id) => id.trim() || []),
  );
});
