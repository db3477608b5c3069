import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gatewayClientId, type TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { codexExec, missingCodex, openCodexHome, ours, timeout } from "./support/real-codex.ts";

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
  /** The most that `codex exec` of Codex 0.171 sends. Its parts ask on their own, so that a run may have fewer. */
  readonly codex: { readonly first: Counts; readonly later: Counts };
}

const rows: ReadonlyArray<Row> = [
  {
    kind: "an API key",
    prepare: ({ authority }) => ({ CODEX_API_KEY: authority.addApiKey() }),
    first: {},
    later: {},
    codex: { first: {}, later: {} },
  },
  {
    kind: "a ChatGPT sign-in",
    prepare: (setup) => signIn(setup, "pro"),
    first: { accountsCheck: 1 },
    later: {},
    codex: { first: { accountsCheck: 2 }, later: { accountsCheck: 2 } },
  },
  {
    kind: "a ChatGPT sign-in to an enterprise workspace",
    prepare: (setup) => signIn(setup, "enterprise"),
    first: { accountsCheck: 1, configBundle: 1 },
    later: {},
    codex: { first: { accountsCheck: 2, configBundle: 1 }, later: { accountsCheck: 2 } },
  },
  {
    kind: "an agent identity",
    prepare: async ({ authority }) => ({
      CODEX_ACCESS_TOKEN: await authority.mintAgentIdentityJwt(),
    }),
    first: { jwks: 1, registerTask: 1 },
    later: { registerTask: 1 },
    codex: { first: { jwks: 4, registerTask: 4 }, later: { jwks: 4, registerTask: 4 } },
  },
  {
    kind: "a personal access token",
    prepare: ({ authority }) => ({ CODEX_ACCESS_TOKEN: authority.mintPersonalAccessToken() }),
    first: { whoami: 1, accountsCheck: 1 },
    later: { whoami: 1 },
    codex: { first: { whoami: 4, accountsCheck: 1 }, later: { whoami: 4, accountsCheck: 1 } },
  },
  {
    kind: "a workload identity",
    prepare: ({ identity }) => identity,
    first: { workloadExchange: 1, accountsCheck: 1 },
    later: { workloadExchange: 1 },
    codex: {
      first: { workloadExchange: 1, accountsCheck: 1 },
      later: { workloadExchange: 1, accountsCheck: 1 },
    },
  },
  {
    kind: "a gateway sign-in",
    config: gateway,
    prepare: gatewaySignIn,
    first: {},
    later: {},
    codex: { first: {}, later: {} },
  },
];

/** Which requests two processes sent, one after the other. */
const twice = async (
  { authority, run }: Setup,
  program: ReadonlyArray<string>,
  { env, path }: { readonly env: Variables; readonly path: string },
) => {
  const measured: Array<Counts> = [];
  for (let process = 0; process < 2; process += 1) {
    authority.clearRequests();
    await run(program, env);
    expect(authority.requests.some((request) => request.path.endsWith(path))).toBe(true);
    measured.push(counted(authority));
  }
  return measured;
};

describe("the requests about authentication of one process", { timeout }, () => {
  it.each(rows)("with $kind", async ({ config, first, later, prepare }) => {
    const setup = await openCodexHome(config);
    const env = await prepare(setup);
    const measured = await twice(setup, [...ours, "api", "/models"], { env, path: "/models" });
    expect(measured).toEqual([first, later]);
  });

  it.skipIf(missingCodex !== undefined).each(rows)(
    "of the real Codex, with $kind",
    async ({ codex, config, prepare }) => {
      const setup = await openCodexHome(config);
      const env = await prepare(setup);
      const measured = await twice(setup, codexExec, { env, path: "/responses" });
      const expected = [codex.first, codex.later].map((counts, index) =>
        Object.fromEntries(
          Object.entries(counts).map(([endpoint, most]) => {
            const found = measured[index]?.[endpoint] ?? 0;
            return [endpoint, found > 0 && found < most ? found : most];
          }),
        ),
      );
      expect(measured).toEqual(expected);
    },
  );
});
