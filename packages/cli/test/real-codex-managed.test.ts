import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { codexExec, missingCodex, openCodexHome, ours, timeout } from "./support/real-codex.ts";

if (missingCodex !== undefined) console.warn(`skipped: ${missingCodex}`);

type Settings = Parameters<TestAuthority["configure"]>[0];

/** A ChatGPT sign-in to an enterprise workspace, and how the backend treats it. */
const openWorkspace = async (settings: Settings) => {
  const setup = await openCodexHome();
  const { authority, home } = setup;
  authority.configure(settings);
  const tokens = await authority.mintChatgptTokens({
    account: { ...authority.account, planType: "enterprise" },
    expiresInSeconds: 30 * 24 * 3_600,
  });
  // Without `oauth_provenance`: that names another issuer than the default one.
  const { oauth_provenance: _, ...stored } = chatgptSignIn(authority, tokens).tokens;
  const text = JSON.stringify({ ...chatgptSignIn(authority, tokens), tokens: stored });
  return {
    ...setup,
    /** Codex removes a sign-in that `forced_login_method` forbids. */
    signIn: () => writeFile(join(home, "auth.json"), text, { mode: 0o600 }),
  };
};

type Setup = Awaited<ReturnType<typeof openWorkspace>>;

/** What both sent when they were asked for a model request, and whether they had one. */
const compare = async ({ authority, run, signIn }: Setup) => {
  const sides = [];
  for (const [program, path] of [
    [codexExec, "/backend-api/codex/responses"],
    [[...ours, "api", "/models"], "/backend-api/codex/models"],
  ] as const) {
    await signIn();
    authority.clearRequests();
    const { stderr } = await run(program);
    const sent = authority.requests.filter((request) => request.path === path);
    sides.push({
      asked: ["accountsCheck", "configBundle"].filter((endpoint) =>
        authority.requests.some((request) => request.endpoint === endpoint),
      ),
      hosts: [...new Set(sent.map(({ headers }) => headers.host))],
      override: sent[0]?.headers["x-openai-account-routing-override"],
      isSent: sent.length > 0,
      stderr,
    });
  }
  const [codex, agentAuth] = sides;
  if (codex === undefined || agentAuth === undefined) throw new Error("no answers");
  return { codex, agentAuth };
};

const both = ["accountsCheck", "configBundle"];

interface Row {
  readonly name: string;
  readonly settings: Settings;
  readonly codex: object;
  readonly agentAuth: object;
}

const rows: ReadonlyArray<Row> = [
  {
    name: "a workspace without a policy and routing",
    settings: {},
    codex: { asked: both, isSent: true, hosts: ["chatgpt.com"], override: undefined },
    agentAuth: { asked: both, isSent: true, hosts: ["chatgpt.com"], override: undefined },
  },
  {
    name: "a routing override",
    settings: { accountRoutingOverride: "us" },
    codex: { isSent: true, hosts: ["chatgpt.com"], override: "us" },
    agentAuth: { isSent: true, hosts: ["chatgpt.com"], override: "us" },
  },
  {
    name: "an origin that is ChatGPT's",
    settings: { workspaceBackendOrigin: "https://eu.chatgpt.com" },
    codex: { isSent: true, hosts: ["eu.chatgpt.com"] },
    agentAuth: { isSent: true, hosts: ["eu.chatgpt.com"] },
  },
  {
    name: "another https origin",
    settings: { workspaceBackendOrigin: "https://ab.openai-routing.example" },
    codex: { isSent: true, hosts: ["ab.openai-routing.example"] },
    agentAuth: {
      isSent: false,
      stderr: expect.stringContaining("https://ab.openai-routing.example"),
    },
  },
  {
    name: "an unknown override",
    settings: { accountRoutingOverride: "mars" },
    codex: { isSent: false },
    agentAuth: { isSent: false },
  },
  {
    name: "a policy whose configuration forces the other login method",
    settings: { managedConfig: 'forced_login_method = "api"\n' },
    codex: { isSent: false },
    agentAuth: { isSent: false, stderr: expect.stringContaining("forced_login_method") },
  },
  {
    name: "a policy that forbids ChatGPT sign-ins in its requirements",
    settings: { managedRequirements: 'allowed_login_methods = ["api"]\n' },
    codex: { isSent: true },
    agentAuth: { isSent: false, stderr: expect.stringContaining("allowed_login_methods") },
  },
  {
    name: "a policy that is not TOML",
    settings: { managedRequirements: "a = [" },
    codex: { isSent: false },
    agentAuth: { isSent: false },
  },
];

describe.skipIf(missingCodex !== undefined)(
  "the policy and the routing of a workspace, in agent-auth and the real Codex",
  { timeout },
  () => {
    it.each(rows)("$name", async ({ agentAuth, codex, settings }) => {
      expect(await compare(await openWorkspace(settings))).toMatchObject({ agentAuth, codex });
    });

    it("fail closed in both if the backend cannot supply the policy", async () => {
      const setup = await openWorkspace({});
      setup.authority.behave("configBundle", { status: 503 });
      const { agentAuth, codex } = await compare(setup);
      expect([agentAuth.isSent, codex.isSent]).toEqual([false, false]);
      expect(agentAuth.stderr).toContain("cannot load the policy of workspace");
    });
  },
);
