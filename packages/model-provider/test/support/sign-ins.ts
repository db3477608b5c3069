import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestAuthority } from "@agent-auth/test-authority";
import {
  createModelProvider,
  type ModelProviderClient,
  type ModelProviderOptions,
} from "../../src/promises/index.ts";

/** A temporary CODEX_HOME whose configuration points at the authority. */
export const makeHome = async (
  authority: TestAuthority,
  more: { readonly config?: string; readonly authJson?: unknown } = {},
) => {
  const path = await mkdtemp(join(tmpdir(), "model-provider-"));
  const base = `chatgpt_base_url = ${JSON.stringify(authority.chatgptBaseUrl)}\n`;
  await writeFile(join(path, "config.toml"), base + (more.config ?? ""));
  if (more.authJson !== undefined)
    await writeFile(join(path, "auth.json"), JSON.stringify(more.authJson, null, 2), {
      mode: 0o600,
    });
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
};

/** How a kind of credential gets into a home and an environment. */
export interface SignIn {
  readonly name: string;
  readonly prepare: (authority: TestAuthority) => Promise<{
    readonly authJson?: unknown;
    readonly env?: Readonly<Record<string, string>>;
    readonly config?: string;
  }>;
}

/** API keys go to the platform's base URL, which chatgpt_base_url does not move. */
const platform = (authority: TestAuthority) =>
  `openai_base_url = ${JSON.stringify(authority.openaiBaseUrl)}\n`;

export const chatgptAuthJson = async (authority: TestAuthority) => {
  const tokens = await authority.mintChatgptTokens();
  return {
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: {
      id_token: tokens.idToken,
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      account_id: authority.account.accountId,
    },
    last_refresh: new Date().toISOString(),
  };
};

export const agentRecordAuthJson = async (authority: TestAuthority) => {
  const identity = await authority.mintAgentIdentity();
  const { account } = authority;
  return {
    auth_mode: "agentIdentity",
    OPENAI_API_KEY: null,
    agent_identity: {
      agent_runtime_id: identity.agentRuntimeId,
      agent_private_key: identity.privateKey,
      account_id: account.accountId,
      chatgpt_user_id: account.userId,
      plan_type: "enterprise",
      chatgpt_account_is_fedramp: false,
    },
  };
};

/** Every kind of credential, from every possible source. */
export const signIns: ReadonlyArray<SignIn> = [
  {
    name: "an API key in auth.json",
    prepare: async (authority) => ({
      authJson: { auth_mode: "apikey", OPENAI_API_KEY: authority.addApiKey() },
      config: platform(authority),
    }),
  },
  {
    name: "CODEX_API_KEY",
    prepare: async (authority) => ({
      env: { CODEX_API_KEY: authority.addApiKey() },
      config: platform(authority),
    }),
  },
  {
    name: "a ChatGPT sign-in",
    prepare: async (authority) => ({ authJson: await chatgptAuthJson(authority) }),
  },
  {
    name: "a personal access token",
    prepare: async (authority) => ({
      env: {
        CODEX_ACCESS_TOKEN: authority.mintPersonalAccessToken(),
        CODEX_AUTHAPI_BASE_URL: authority.accountsBaseUrl,
      },
    }),
  },
  {
    name: "an agent identity JWT",
    prepare: async (authority) => ({
      env: { CODEX_ACCESS_TOKEN: await authority.mintAgentIdentityJwt() },
    }),
  },
  {
    name: "an agent identity record",
    prepare: async (authority) => ({ authJson: await agentRecordAuthJson(authority) }),
  },
  {
    name: "a provider's command",
    prepare: async (authority) => ({
      config: `model_provider = "local"
[model_providers.local]
name = "Local"
base_url = ${JSON.stringify(authority.openaiBaseUrl)}
auth = { command = ${JSON.stringify(process.execPath)}, args = ["-p", ${JSON.stringify(JSON.stringify(authority.addApiKey()))}] }
`,
    }),
  },
  {
    name: "a provider's env_key",
    prepare: async (authority) => ({
      env: { LOCAL_KEY: authority.addApiKey() },
      config: `model_provider = "local"
[model_providers.local]
name = "Local"
base_url = ${JSON.stringify(authority.openaiBaseUrl)}
env_key = "LOCAL_KEY"
`,
    }),
  },
];

export interface SignedInClient extends AsyncDisposable {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  readonly client: ModelProviderClient;
}

/** A client that is signed in that way, in its own home. */
export const signedIn = async (
  authority: TestAuthority,
  signIn: SignIn,
  options: Partial<ModelProviderOptions> = {},
): Promise<SignedInClient> => {
  const prepared = await signIn.prepare(authority);
  const home = await makeHome(authority, prepared);
  const env = {
    CODEX_HOME: home.path,
    CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
    ...prepared.env,
  };
  const client = await createModelProvider({
    variables: env,
    environmentCredentials: true,
    ...options,
  });
  return {
    home: home.path,
    env,
    client,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await home[Symbol.asyncDispose]();
    },
  };
};
