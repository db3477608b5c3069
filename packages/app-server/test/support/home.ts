import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestAuthority } from "@agent-auth/test-authority";
import { onTestFinished } from "vitest";

/** A CODEX_HOME of the test's own, removed at its end. */
export const openHome = async (): Promise<string> => {
  const home = await mkdtemp(join(tmpdir(), "app-server-"));
  onTestFinished(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  return home;
};

/** Stores a ChatGPT sign-in of the authority's account. Returns its tokens. */
export const signIn = async (
  home: string,
  authority: TestAuthority,
  options: { readonly expiresInSeconds?: number } = {},
) => {
  const tokens = await authority.mintChatgptTokens({
    accessTokenClaims: { email: authority.account.email },
    ...options,
  });
  const document = {
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: {
      id_token: tokens.idToken,
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      account_id: tokens.accountId,
    },
    last_refresh: new Date().toISOString(),
  };
  await writeFile(join(home, "auth.json"), JSON.stringify(document), { mode: 0o600 });
  return tokens;
};
