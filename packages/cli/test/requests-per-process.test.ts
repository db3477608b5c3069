import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gatewayClientId, type TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { openCodexHome, ours, timeout } from "./support/real-codex.ts";

// docs/managed-machines.md has this table.

type Setup = Awaited<ReturnType<typeof openCodexHome>>;
type Variables = Readonly<Record<string, string>>;

/** Requests by endpoint, without the model requests themselves. */
type Counts = Readonly<Record<string, number>>;

const authEndpoints = [
  "accountsCheck",
  "configBundle",
  "whoami",
  "jwks",
  "registerTask",
  "workloadExchange",
  "refresh",
  "gatewayToken",
] as const;

const counted = (authority: TestAuthority): Counts =>
  Object.fromEntries(
    authEndpoints
      .map((endpoint) => [endpoint, authority.count(endpoint)] as const)
      .filter(([, count]) => count > 0),
  );

const signIn = async ({ authority, home }: Setup, planType: "pro" | "enterprise") => {
  const tokens = await authority.mintChatgptTokens({
    account: { ...authority.account, planType },
    expiresInSeconds: 30 * 24 * 3_600,
  });
  const text = JSON.stringify(chatgptSignIn(authority, tokens));
  await writeFile(join(home, "auth.json"), text, { mode: 0o600 });
  return {};
};

const gateway = `
model_provider = "gw"
[model_providers.gw]
name = "Gateway"
base_url = "AUTHORITY/gateway/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
[model_providers.gw.gateway_oauth]
authorization_url = "AUTHORITY/gateway/authorize"
device_authorization_url = "AUTHORITY/gateway/device"
token_url = "AUTHORITY/gateway/token"
client_id = "${gatewayClientId}"
credentials_store = "file"
`;

const gatewaySignIn = async ({ authority, run }: Setup) => {
  const done = run([...ours, "login", "--provider", "gw", "--device-auth"]);
  await authority.waitForRequest("gatewayDevice");
  authority.approveAllGatewayDevices();
  await done;
  return { NO_PROXY: "127.0.0.1" };
};

interface Row {
  readonly kind: string;
  readonly config?: string;
  readonly prepare: (setup: Setup) => Promise<Variables> | Variables;
  /** The first process of a CODEX_HOME, and each later one within an hour. */
  readonly first: Counts;
  readonly later: Counts;
}

const rows: ReadonlyArray<Row> = [
  {
    kind: "an API key",
    prepare: () => ({ CODEX_API_KEY: "sk-proj-1234567890ABCDE" }),
    first: {},
    later: {},
  },
  {
    kind: "a ChatGPT sign-in",
    prepare: (setup) => signIn(setup, "pro"),
    first: { accountsCheck: 1 },
    later: {},
  },
  {
    kind: "a ChatGPT sign-in to an enterprise workspace",
    prepare: (setup) => signIn(setup, "enterprise"),
    first: { accountsCheck: 1, configBundle: 1 },
    later: {},
  },
  {
    kind: "an agent identity",
    prepare: async ({ authority }) => ({
      CODEX_ACCESS_TOKEN: await authority.mintAgentIdentityJwt(),
    }),
    first: { jwks: 1, registerTask: 1 },
    later: { registerTask: 1 },
  },
  {
    kind: "a personal access token",
    prepare: ({ authority }) => ({ CODEX_ACCESS_TOKEN: authority.mintPersonalAccessToken() }),
    first: { whoami: 1, accountsCheck: 1 },
    later: { whoami: 1 },
  },
  {
    kind: "a workload identity",
    prepare: ({ identity }) => identity,
    first: { workloadExchange: 1, accountsCheck: 1 },
    later: { workloadExchange: 1 },
  },
  {
    kind: "a gateway sign-in",
    config: gateway,
    prepare: gatewaySignIn,
    first: {},
    later: {},
  },
];

describe("the requests about authentication of one process", { timeout }, () => {
  it.each(rows)("with $kind", async ({ config, first, later, prepare }) => {
    const setup = await openCodexHome(config);
    const { authority, run } = setup;
    const env = await prepare(setup);
    const measured = [];
    for (let process = 0; process < 2; process += 1) {
      authority.clearRequests();
      await run([...ours, "api", "/models"], env);
      expect(authority.requests.some(({ path }) => path.endsWith("/models"))).toBe(true);
      measured.push(counted(authority));
    }
    expect(measured).toEqual([first, later]);
  });
});
