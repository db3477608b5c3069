import { codexClientId, type ChatgptTokens, type TestAuthority } from "@agent-auth/test-authority";

/** What `auth.json` holds of a ChatGPT sign-in, and something of a newer Codex, which has to be kept. */
export const chatgptSignIn = (authority: TestAuthority, tokens: ChatgptTokens) => ({
  auth_mode: "chatgpt",
  OPENAI_API_KEY: null,
  tokens: {
    id_token: tokens.idToken,
    access_token: tokens.accessToken,
    refresh_token: tokens.refreshToken,
    oauth_provenance: { issuer: authority.issuer, client_id: codexClientId },
    account_id: tokens.accountId,
  },
  last_refresh: new Date().toISOString(),
  future: { kept: true },
});
