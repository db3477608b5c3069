import {
  generateAgentKey,
  importAgentKey,
  unsealWithAgentKey,
} from "@agent-auth/agent-identity/promises";
import { createGateway, type GatewayOptions } from "@agent-auth/gateway/promises";
import { decodeUnverifiedAgentIdentityJwt } from "@agent-auth/agent-identity/jwt";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import { account, addAgent, addTask, errorOf, headerOf, taskRequest } from "./support.ts";

const users: GatewayOptions["users"] = async (token) =>
  token === "ada" ? { subject: "ada", scopes: [], account } : null;

const url = (path: string) => `https://codex.example${path}`;

const registration = (change: object = {}, headers: Record<string, string> = {}) => ({
  method: "POST",
  headers: { authorization: "Bearer ada", ...headers },
  body: JSON.stringify({
    abom: { agent_version: "1", agent_harness_id: "codex-cli", running_location: "cli-linux" },
    agent_public_key: "ssh-ed25519 AAAA",
    capabilities: ["responsesapi"],
    ttl: null,
    ...change,
  }),
});

describe("agent registration", () => {
  it("registers a key for the person whose token is sent, and the agent can register a task", async () => {
    await using gateway = await createGateway({ users });
    const key = await generateAgentKey();
    const body = registration({ agent_public_key: `${key.sshPublicKey} a comment` });
    const response = await gateway.handle(
      new Request(url("/api/accounts/v1/agent/register"), body),
    );
    const answer: unknown = await response?.json();
    const agentRuntimeId = String(Reflect.get(Object(answer), "agent_runtime_id"));
    expect(agentRuntimeId).toMatch(/^agent-/);
    expect(await gateway.findAgent(agentRuntimeId)).toMatchObject({
      account,
      publicKey: key.sshPublicKey,
    });
    const agent = { agentRuntimeId, key };
    const taskId = await addTask(gateway, agent);
    expect(await gateway.authenticate({ authorization: headerOf(agent, taskId) })).toMatchObject({
      agentRuntimeId,
      account,
    });
  });

  it("forgets the agent after its ttl", async () => {
    await using gateway = await createGateway({ users });
    const key = await generateAgentKey();
    const body = registration({ agent_public_key: key.sshPublicKey, ttl: 60 });
    const response = await gateway.handle(new Request(url("/v1/agent/register"), body));
    const answer: unknown = await response?.json();
    const agent = await gateway.findAgent(String(Reflect.get(Object(answer), "agent_runtime_id")));
    expect((agent?.expiresAtMs ?? 0) - (agent?.registeredAtMs ?? 0)).toBe(60_000);
  });

  it.each([
    ["without a credential", {}, { authorization: "" }, 401, "missing_authorization"],
    ["with an unknown token", {}, { authorization: "Bearer bob" }, 401, "invalid_token"],
    [
      "with a key that is not one",
      { agent_public_key: "ssh-rsa AAAA" },
      {},
      400,
      "invalid_public_key",
    ],
    ["without a key", { agent_public_key: 7 }, {}, 400, "invalid_body"],
    ["without an abom", { abom: null }, {}, 400, "invalid_body"],
    ["with a ttl of zero", { ttl: 0 }, {}, 400, "invalid_body"],
  ])("is refused %s", async (_name, change, headers, status, code) => {
    await using gateway = await createGateway({ users });
    const request = new Request(url("/v1/agent/register"), registration(change, headers));
    expect(await errorOf(await gateway.handle(request))).toEqual([status, code]);
  });

  it("asks the callback if there is one, and refuses with 403 if it says no", async () => {
    await using gateway = await createGateway({
      endpoints: {
        authorizeRegistration: async (request) =>
          request.headers.get("x-openai-authorization") === "biscuit" ? account : null,
      },
    });
    const { sshPublicKey } = await generateAgentKey();
    const send = (biscuit: string) =>
      gateway.handle(
        new Request(
          url("/v1/agent/register"),
          registration(
            { agent_public_key: sshPublicKey, capabilities: [] },
            { "x-openai-authorization": biscuit },
          ),
        ),
      );
    expect((await send("biscuit"))?.status).toBe(200);
    expect(await errorOf(await send("other"))).toEqual([403, "not_allowed"]);
  });
});

describe("task registration", () => {
  it.each(["encrypted_task_id", "encryptedTaskId"] as const)(
    "seals the id to the agent's key as %s",
    async (taskIdField) => {
      await using gateway = await createGateway({ endpoints: { taskIdField } });
      const agent = await addAgent(gateway, "agent one/2");
      const answer: unknown = await (await gateway.handle(taskRequest(agent)))?.json();
      const sealed = String(Reflect.get(Object(answer), taskIdField));
      const taskId = new TextDecoder().decode(await unsealWithAgentKey(agent.key, sealed));
      const authorization = headerOf(agent, taskId);
      expect(await gateway.authenticate({ authorization })).toMatchObject({ taskId });
    },
  );

  it.each([
    ["a time six minutes ago", -360_000, 401, "stale_timestamp"],
    ["a time six minutes ahead", 360_000, 401, "stale_timestamp"],
    ["a time four minutes ago", -240_000, 200, undefined],
  ])("with %s: %s", async (_name, offsetMs, status, code) => {
    await using gateway = await createGateway();
    const request = taskRequest(await addAgent(gateway), Date.now() + offsetMs);
    expect(await errorOf(await gateway.handle(request))).toEqual([status, code]);
  });

  it("is refused for unknown and revoked agents and for another key", async () => {
    await using gateway = await createGateway();
    const agent = await addAgent(gateway);
    const unknown = taskRequest({ ...agent, agentRuntimeId: "__proto__" });
    expect(await errorOf(await gateway.handle(unknown))).toEqual([404, "unknown_agent"]);
    const forged = taskRequest({ ...agent, key: await generateAgentKey() });
    expect(await errorOf(await gateway.handle(forged))).toEqual([401, "bad_signature"]);
    await gateway.revokeAgent("agent-1");
    expect(await errorOf(await gateway.handle(taskRequest(agent)))).toEqual([401, "agent_revoked"]);
  });

  it.each([
    ["that is not JSON", "{", 400, "invalid_json"],
    ["with a name twice", '{"timestamp":"a","timestamp":"b"}', 400, "invalid_body"],
    ["without a signature", '{"timestamp":"2026-04-13T12:00:00Z"}', 400, "invalid_body"],
    ["of more than 64 KiB", "x".repeat(70_000), 413, "body_too_large"],
  ])("is refused with a body %s", async (_name, body, status, code) => {
    await using gateway = await createGateway();
    await addAgent(gateway);
    const request = new Request(url("/v1/agent/agent-1/task/register"), { method: "POST", body });
    expect(await errorOf(await gateway.handle(request))).toEqual([status, code]);
  });
});

describe("the key set", () => {
  it("has a lifetime and an entity tag, and is a 304 for a client that sends that tag", async () => {
    await using gateway = await createGateway({
      issuer: { issuer: "https://codex.example", keys: "memory", jwksMaxAgeSeconds: 60 },
    });
    const jwks = url("/api/codex/agent-identities/jwks");
    const first = await gateway.handle(new Request(jwks));
    expect(first?.headers.get("cache-control")).toBe("public, max-age=60");
    const etag = first?.headers.get("etag") ?? "";
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const headers = { "if-none-match": tag };
      const again = await gateway.handle(new Request(jwks, { headers }));
      expect([again?.status, again?.headers.get("etag")]).toEqual([304, etag]);
    }
    const headers = { "if-none-match": '"other"' };
    expect((await gateway.handle(new Request(jwks, { headers })))?.status).toBe(200);
  });

  it("does not exist without an issuer", async () => {
    await using gateway = await createGateway();
    const response = await gateway.handle(new Request(url("/api/codex/agent-identities/jwks")));
    expect(await errorOf(response)).toEqual([404, "no_issuer"]);
  });
});

const whoami = (authorization: string) =>
  new Request(url("/api/accounts/v1/user-auth-credential/whoami"), {
    headers: { authorization },
  });

describe("whoami", () => {
  it("answers an agent, an identity JWT and a person", async () => {
    await using gateway = await createGateway({
      users,
      issuer: { issuer: "https://codex.example", keys: "memory" },
    });
    const facts = {
      email: "ada@example.test",
      chatgpt_user_id: "user-1",
      chatgpt_account_id: "account-1",
      chatgpt_plan_type: "pro",
      chatgpt_account_is_fedramp: false,
    };
    const { jwt, agentRuntimeId } = await gateway.mint({ account });
    const identity = await gateway.handle(whoami(`Bearer ${jwt}`));
    expect(await identity?.json()).toEqual({ ...facts, agent_runtime_id: agentRuntimeId });
    const { unverifiedRecord } = await Effect.runPromise(decodeUnverifiedAgentIdentityJwt(jwt));
    const key = await importAgentKey(Redacted.value(unverifiedRecord.privateKey));
    const taskId = await addTask(gateway, { agentRuntimeId, key });
    const assertion = await gateway.handle(whoami(headerOf({ agentRuntimeId, key }, taskId)));
    expect(await assertion?.json()).toEqual({ ...facts, agent_runtime_id: agentRuntimeId });
    expect(await (await gateway.handle(whoami("Bearer ada")))?.json()).toEqual(facts);
  });

  it("refuses the identity JWT of a revoked agent, and one of another issuer", async () => {
    const issuer = { issuer: "https://codex.example", keys: "memory" } as const;
    await using gateway = await createGateway({ issuer });
    await using other = await createGateway({ issuer });
    const { jwt, agentRuntimeId } = await gateway.mint({ account });
    await gateway.revokeAgent(agentRuntimeId);
    expect(await errorOf(await gateway.handle(whoami(`Bearer ${jwt}`)))).toEqual([
      401,
      "agent_revoked",
    ]);
    expect(await errorOf(await other.handle(whoami(`Bearer ${jwt}`)))).toEqual([
      401,
      "invalid_token",
    ]);
  });
});

describe("other requests", () => {
  it("to other paths are left to the program", async () => {
    await using gateway = await createGateway();
    for (const path of ["/", "/v1/responses", "/v1/agent/register/x", "/v1/agent//task/register"])
      expect(await gateway.handle(new Request(url(path)))).toBeUndefined();
  });

  it("with another method get 405 with the right one", async () => {
    await using gateway = await createGateway();
    const response = await gateway.handle(new Request(url("/v1/agent/register")));
    expect([response?.status, response?.headers.get("allow")]).toEqual([405, "POST"]);
  });
});
