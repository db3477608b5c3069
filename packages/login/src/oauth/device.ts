import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import type { ChatgptTokens } from "../manager/index.ts";
import type { SignInError } from "../errors/oauth.ts";
import { parseAuthority, type AuthorityOptions } from "./authority.ts";
import { pollForCode, requestUserCode } from "./device-code.ts";
import { openOAuthSession } from "./oauth-library.ts";
import { exchangeCode } from "./code-exchange.ts";

/** What a person has to do on any device that has a browser. */
export interface DeviceCodePrompt {
  /** To be typed into the page. Printable ASCII. */
  readonly userCode: string;
  readonly verificationUrl: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

export interface DeviceSignInOptions extends AuthorityOptions {
  /** Ids of the workspaces that may sign in. Empty or absent: any. */
  readonly allowedWorkspaceIds?: ReadonlyArray<string>;
  /** Milliseconds until the code is given up. Default 15 minutes, which is what the authority grants. */
  readonly timeLimitMs?: number;
  /** Shown to the person before the first poll. */
  readonly onCode: (prompt: DeviceCodePrompt) => Effect.Effect<void>;
}

const DEFAULT_TIME_LIMIT_MS = 15 * 60_000;

/**
 * Signs a person in with a code that is entered on another device (docs/protocol.md §9; the server's own protocol,
 * not RFC
 * 8628). Comes back with the tokens, whose claims nobody has verified; nothing is saved. Time is the Clock's.
 */
export const signInWithDeviceCode = Effect.fn("signInWithDeviceCode")(function* (
  options: DeviceSignInOptions,
): Effect.fn.Return<ChatgptTokens, SignInError, HttpTransport> {
  const authority = yield* parseAuthority(options);
  const code = yield* requestUserCode(authority, options.timeLimitMs ?? DEFAULT_TIME_LIMIT_MS);
  const verificationUrl = `${authority.issuer}/codex/device`;
  yield* options.onCode({
    userCode: code.userCode,
    verificationUrl,
    expiresAtMs: code.expiresAtMs,
  });
  const granted = yield* pollForCode(authority, code);
  const session = yield* openOAuthSession(authority);
  const { oauth, server, client } = session;
  const parameters = oauth.validateAuthResponse(
    server,
    client,
    new URLSearchParams({ code: granted.authorizationCode }),
    oauth.expectNoState, // this code never travelled through a browser
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
