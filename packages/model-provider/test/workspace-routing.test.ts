import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { loadConfig } from "@agent-auth/login/config";
import { loadEnvironment } from "@agent-auth/login/config/environment";
import * as Effect from "effect/Effect";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, request } from "undici";
import { describe, expect, it, onTestFinished } from "vitest";
import { authInterceptor } from "../src/dispatcher/index.ts";
import { createModelProvider } from "../src/promises/index.ts";
import { webSocketHeaders } from "../src/websocket/index.ts";
import { chatgptAuthJson, makeHome } from "./support/sign-ins.ts";

type Settings = NonNullable<Parameters<typeof startTestAuthority>[0]>["settings"];

const openAuthority = async (settings: Settings = {}, plan: "team" | "enterprise" = "team") => {
  const authority = await startTestAuthority({ settings, account: { planType: plan } });
  onTestFinished(() => authority.close());
  return authority;
};

/** A backend, and another one to which it sends the requests of the workspace. */
const openRouted = async (settings: Settings = {}) => {
  const there = await openAuthority();
  there.behave("models", { status: 200, body: { data: [] } });
  const here = await openAuthority({ workspaceBackendOrigin: there.url, ...settings });
  return { here, there };
};

const open = async (here: TestAuthority, config = "") => {
  const home = await makeHome(here, { config, authJson: await chatgptAuthJson(here) });
  onTestFinished(() => home[Symbol.asyncDispose]());
  const client = await createModelProvider({
    variables: { CODEX_HOME: home.path },
    environmentCredentials: true,
    onWarning: () => {},
  });
  onTestFinished(() => client.close());
  return client;
};

const trusting = ({ url }: TestAuthority) => `[agent_auth]\nbackend_origins = ["${url}"]\n`;

const override = "x-openai-account-routing-override";
const residency = "x-openai-internal-codex-residency";

const routed = async () => {
  const { here, there } = await openRouted({ accountRoutingOverride: "us" });
  return { here, there, client: await open(here, trusting(there)) };
};

const arrived = (there: TestAuthority) =>
  there.requestsTo("models").map(({ headers, path }) => [path, headers[override]]);

describe("requests of a workspace that the backend routes elsewhere go there, with its override", () => {
  it("by fetch", async () => {
    const { client, here, there } = await routed();
    expect((await client.fetch("/models")).status).toBe(200);
    expect(arrived(there)).toEqual([["/backend-api/codex/models", "us"]]);
    expect(here.count("models")).toBe(0);
  });

  it("by a dispatcher, and a client's own override is replaced", async () => {
    const { client, there } = await routed();
    const agent = new Agent().compose(authInterceptor({ signer: client.signer }));
    onTestFinished(() => agent.close());
    const url = `${await client.baseUrl()}/models`;
    const answer = await request(url, { dispatcher: agent, headers: { [override]: "mine" } });
    await answer.body.dump();
    expect(arrived(there)).toEqual([["/backend-api/codex/models", "us"]]);
  });

  it("by a WebSocket", async () => {
    const { client, there } = await routed();
    const upgrade = await webSocketHeaders({ signer: client.signer, url: "/responses" });
    expect(upgrade.url).toBe(`${there.url.replace("http", "ws")}/backend-api/codex/responses`);
    expect(upgrade.headers[override]).toBe("us");
  });

  it("by another client, which asks for base URL and headers", async () => {
    const { client, there } = await routed();
    expect(await client.baseUrl()).toBe(`${there.url}/backend-api/codex`);
    expect(await client.headers()).toMatchObject({ [override]: "us" });
  });

  it("and not to an origin that is not trusted: nothing is sent", async () => {
    const { here, there } = await openRouted();
    const client = await open(here);
    await expect(client.fetch("/models")).rejects.toMatchObject({
      code: "LOGIN_WORKSPACE_ROUTING_REFUSED",
      why: "otherOrigin",
    });
    expect([there.requests.length, here.count("models")]).toEqual([0, 0]);
  });
});

describe("requests that no workspace routes", () => {
  it("carry no override", async () => {
    const here = await openAuthority();
    const client = await open(here);
    await client.fetch("/models");
    expect(here.requestsTo("models")[0]?.headers[override]).toBeUndefined();
  });

  it("go where openai_base_url says, without asking the backend", async () => {
    const here = await openAuthority({ accountRoutingOverride: "us" });
    const gateway = await openAuthority();
    gateway.behave("models", { status: 200, body: {} });
    const client = await open(here, `openai_base_url = "${gateway.openaiBaseUrl}"\n`);
    await client.fetch("/models");
    expect(gateway.requestsTo("models")[0]?.headers[override]).toBeUndefined();
    expect(here.requests).toEqual([]);
  });
});

describe("a workspace's policy", () => {
  it("keeps requests from being sent", async () => {
    const settings = { managedRequirements: 'allowed_login_methods = ["api"]' };
    const here = await openAuthority(settings, "enterprise");
    const client = await open(here);
    await expect(client.fetch("/models")).rejects.toMatchObject({
      code: "LOGIN_FORBIDDEN_BY_ADMINISTRATOR",
    });
    expect(here.requests.map(({ endpoint }) => endpoint)).toEqual(["configBundle"]);
  });

  it("adds the residency to requests", async () => {
    const settings = { managedRequirements: 'enforce_residency = "us"' };
    const here = await openAuthority(settings, "enterprise");
    const client = await open(here);
    await client.fetch("/models");
    expect(here.requestsTo("models")[0]?.headers[residency]).toBe("us");
  });
});

describe("enforce_residency of requirements.toml", () => {
  it("is sent with an API key as well, and a client cannot change it", async () => {
    const here = await openAuthority();
    const folder = await mkdtemp(join(tmpdir(), "etc-codex-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await chmod(folder, 0o755);
    await writeFile(join(folder, "requirements.toml"), 'enforce_residency = "us"', { mode: 0o644 });
    const home = await makeHome(here, { config: `openai_base_url = "${here.openaiBaseUrl}"\n` });
    onTestFinished(() => home[Symbol.asyncDispose]());
    const environment = loadEnvironment(
      { CODEX_HOME: home.path, CODEX_API_KEY: here.addApiKey() },
      { systemFolder: folder },
    );
    const config = await Effect.runPromise(loadConfig(environment));
    const client = await createModelProvider({ environment, config, environmentCredentials: true });
    onTestFinished(() => client.close());
    await client.fetch("/models", { headers: { [residency]: "eu" } });
    expect(here.requestsTo("models")[0]?.headers[residency]).toBe("us");
  });
});
