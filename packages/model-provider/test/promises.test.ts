import { proofSize } from "@agent-auth/tools/proof";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAuthManager } from "@agent-auth/login/promises";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import { createModelProvider, type ModelProviderClient } from "../src/promises/index.ts";
import { chatgptAuthJson, makeHome, type SignIn, signedIn, signIns } from "./support/sign-ins.ts";

const storm = proofSize({ test: 300, proof: 2_000 });

const ask = { method: "POST", headers: { "content-type": "application/json" } } as const;
const body = JSON.stringify({ model: "gpt-5.2-codex", input: "hello" });

const named = (name: string): SignIn => {
  const found = signIns.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no sign-in named ${name}`);
  return found;
};

const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "nothing failed",
    (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
  );

describe("createModelProvider", () => {
  it.each(signIns)("sends requests that the authority accepts: $name", async (signIn) => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, signIn);
    const response = await session.client.fetch("/responses", { ...ask, body });
    expect([response.status, await response.json()]).toMatchObject([200, { status: "completed" }]);
    expect(authority.count("responses")).toBe(1);
    expect(authority.requestsTo("responses")[0]?.headers).toMatchObject({
      originator: "codex_cli_rs",
      "user-agent": expect.stringMatching(/^agent-auth /),
    });
  });

  it("uses the tokens of an external provider, and asks it once after a 401", async () => {
    await using authority = await startTestAuthority();
    await using home = await makeHome(authority);
    const [first, second] = [
      await authority.mintChatgptTokens(),
      await authority.mintChatgptTokens(),
    ];
    const asked: Array<string> = [];
    const variables = { CODEX_HOME: home.path };
    await using manager = createAuthManager({
      variables,
      environmentCredentials: false,
      externalProvider: {
        name: "editor",
        tokens: ({ reason }) => {
          asked.push(reason);
          const tokens = reason === "initial" ? first : second;
          const { accountId } = authority.account;
          return Promise.resolve({ accessToken: tokens.accessToken, accountId });
        },
      },
    });
    await using client = await createModelProvider({ variables, manager });
    authority.revokeAccessToken(first.accessToken);
    const response = await client.fetch("/responses", { ...ask, body });
    expect([response.status, asked]).toEqual([200, ["initial", "unauthorized"]]);
    expect(await client.accountState()).toMatchObject({
      kind: "ExternalChatgpt",
      source: { _tag: "External", name: "editor" },
    });
  });

  it.each([
    ["a ChatGPT sign-in", "refresh", 1],
    ["an agent identity JWT", "registerTask", 2],
  ] as const)(
    `recovers %s once for ${storm} concurrent requests that get a 401`,
    { timeout: 180_000 },
    async (name, endpoint, times) => {
      await using authority = await startTestAuthority();
      await using session = await signedIn(authority, named(name));
      const token = await session.client.token();
      if (token === null) authority.revokeTask();
      else authority.revokeAccessToken(Redacted.value(token));
      const statuses = await Promise.all(
        Array.from({ length: storm }, async () => {
          const response = await session.client.fetch("/models");
          await response.arrayBuffer();
          return response.status;
        }),
      );
      expect(new Set(statuses)).toEqual(new Set([200]));
      expect(authority.count(endpoint)).toBe(times);
    },
  );

  it("returns headers, base URL, token and account", async () => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, named("a personal access token"));
    const { client } = session;
    const { accountId } = authority.account;
    const token = await client.token();
    expect(await client.baseUrl()).toBe(`${authority.chatgptBaseUrl}/codex`);
    expect(await client.headers()).toEqual({
      Authorization: `Bearer ${token === null ? "" : Redacted.value(token)}`,
      "ChatGPT-Account-ID": accountId,
    });
    expect(await client.accountState()).toMatchObject({
      _tag: "SignedIn",
      kind: "PersonalAccessToken",
      accountId,
      source: { _tag: "Environment", variable: "CODEX_ACCESS_TOKEN" },
    });
  });

  it("returns no token for an agent identity", async () => {
    await using authority = await startTestAuthority();
    await using session = await signedIn(authority, named("an agent identity record"));
    expect(await session.client.token()).toBeNull();
    expect((await session.client.headers())["Authorization"]).toMatch(/^AgentAssertion /);
  });

  it("trusts the root certificates that the environment names", async () => {
    await using authority = await startTestAuthority({ tls: "self-signed" });
    await using home = await makeHome(authority);
    const bundle = join(home.path, "roots.pem");
    await writeFile(bundle, authority.certificate ?? "");
    const variables = {
      CODEX_HOME: home.path,
      CODEX_ACCESS_TOKEN: await authority.mintAgentIdentityJwt(),
    };
    const send = async (more: Readonly<Record<string, string>>) => {
      await using client = await createModelProvider({
        variables: { ...variables, ...more },
        environmentCredentials: true,
      });
      return (await client.fetch("/responses", { ...ask, body })).status;
    };
    await expect(send({})).rejects.toMatchObject({
      code: expect.stringMatching(/^AGENT_IDENTITY_/),
    });
    expect(await send({ CODEX_CA_CERTIFICATE: bundle })).toBe(200);
    expect(authority.count("responses")).toBe(1);
  });

  it("explains an untrusted certificate, and does not retry", async () => {
    await using authority = await startTestAuthority({ tls: "self-signed" });
    await using home = await makeHome(authority, {
      config: `model_provider = "local"
[model_providers.local]
base_url = ${JSON.stringify(authority.openaiBaseUrl)}
experimental_bearer_token = "canary"
request_max_retries = 2
`,
    });
    await using client = await createModelProvider({
      variables: { CODEX_HOME: home.path },
      environmentCredentials: false,
      retryBaseDelayMs: 600_000,
    });
    const error: unknown = await client.fetch("/responses", { ...ask, body }).catch((e) => e);
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({
      message: "fetch failed",
      cause: {
        code: "PROVIDER_CERTIFICATE_UNTRUSTED",
        reason: "DEPTH_ZERO_SELF_SIGNED_CERT",
        origin: new URL(authority.openaiBaseUrl).origin,
        hint: expect.stringContaining("CODEX_CA_CERTIFICATE"),
      },
    });
  });

  it("retries as config.toml says", async () => {
    await using authority = await startTestAuthority();
    await using home = await makeHome(authority, {
      config: `model_provider = "local"
[model_providers.local]
base_url = ${JSON.stringify(authority.openaiBaseUrl)}
experimental_bearer_token = ${JSON.stringify(authority.addApiKey())}
request_max_retries = 2
`,
    });
    authority.behave("responses", { status: 503, headers: { "retry-after": "0" } }, { times: 2 });
    await using client = await createModelProvider({
      variables: { CODEX_HOME: home.path },
      environmentCredentials: false,
    });
    expect((await client.fetch("/responses", { ...ask, body })).status).toBe(200);
    expect(authority.count("responses")).toBe(3);
  });
});

const attempt = async (
  authority: TestAuthority,
  setUp: Awaited<ReturnType<SignIn["prepare"]>>,
  use: (client: ModelProviderClient) => Promise<unknown> = (client) =>
    client.fetch("/responses", { ...ask, body }),
): Promise<unknown> => {
  await using home = await makeHome(authority, setUp);
  return await code(
    (async () => {
      await using client = await createModelProvider({
        variables: { CODEX_HOME: home.path, ...setUp.env },
        environmentCredentials: true,
      });
      await use(client);
    })(),
  );
};

const provider = (lines: string) =>
  `model_provider = "local"\n[model_providers.local]\nname = "Local"\n${lines}\n`;

describe("createModelProvider: nothing is sent to the model if", () => {
  const cases: ReadonlyArray<
    readonly [string, (authority: TestAuthority) => ReturnType<SignIn["prepare"]>, string]
  > = [
    ["no account is signed in", async () => ({}), "PROVIDER_SIGN_IN_REQUIRED"],
    [
      "auth.json is broken",
      async () => ({ authJson: { auth_mode: "chatgpt" } }),
      "LOGIN_CREDENTIAL_UNUSABLE",
    ],
    [
      "the account is restricted",
      async (authority) => ({
        authJson: await chatgptAuthJson(authority),
        config: 'forced_chatgpt_workspace_id = ["another"]\n',
      }),
      "LOGIN_CREDENTIAL_FORBIDDEN",
    ],
    [
      "the token is signed with another key",
      async () => {
        await using stranger = await startTestAuthority();
        return { env: { CODEX_ACCESS_TOKEN: await stranger.mintAgentIdentityJwt() } };
      },
      "AGENT_IDENTITY_JWKS_KEY_NOT_FOUND",
    ],
    [
      "the env_key is missing",
      async (authority) => ({
        config: provider(`base_url = "${authority.openaiBaseUrl}"\nenv_key = "NOT_SET"`),
      }),
      "PROVIDER_ENV_KEY_MISSING",
    ],
    [
      "the env_key holds a line break",
      async (authority) => ({
        env: { A_KEY: "a\nb" },
        config: provider(`base_url = "${authority.openaiBaseUrl}"\nenv_key = "A_KEY"`),
      }),
      "PROVIDER_HEADER_INVALID",
    ],
    [
      "the command hangs",
      async (authority) => ({
        config: provider(
          `base_url = "${authority.openaiBaseUrl}"\nauth = { command = "sleep", args = ["600"], timeout_ms = 100 }`,
        ),
      }),
      "PROVIDER_TOKEN_COMMAND_FAILED",
    ],
    [
      "the base URL is not http",
      async () => ({ config: provider('base_url = "ftp://files.example/v1"') }),
      "PROVIDER_BASE_URL_INVALID",
    ],
    [
      "there is no such provider",
      async () => ({ config: 'model_provider = "nope"\n' }),
      "LOGIN_MODEL_PROVIDER_NOT_FOUND",
    ],
    [
      "config.toml is broken",
      async () => ({ config: "model_provider = \n" }),
      "LOGIN_CONFIG_SYNTAX",
    ],
    [
      "CODEX_HOME does not exist",
      async () => ({ env: { CODEX_HOME: "/nonexistent" } }),
      "LOGIN_CODEX_HOME_UNUSABLE",
    ],
  ];

  it.each(cases)("%s", async (_when, prepare, expected) => {
    await using authority = await startTestAuthority();
    const setUp = await prepare(authority);
    expect(await attempt(authority, setUp)).toBe(expected);
    expect(authority.count("responses")).toBe(0);
  });
});
