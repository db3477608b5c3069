import { createGateway, type Gateway, type GatewayOptions } from "@agent-auth/gateway/promises";
import { AgentRegistry, makeMemoryRegistry } from "@agent-auth/gateway/registry";
import { Authentication } from "@agent-auth/gateway/authentication";
import { StoreUnavailable } from "@agent-auth/gateway/errors";
import { authenticatorOf } from "@agent-auth/gateway/middleware";
import { generateAgentKey } from "@agent-auth/agent-identity/promises";
import { warningContext } from "@agent-auth/agent-identity/promises/caller-context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { afterEach, describe, expect, it, vi } from "vitest";
import { account, addAgent, addTask, forgedHeader, headerOf, rejectionHeaders } from "./support.ts";

afterEach(() => {
  vi.useRealTimers();
});

const start = async (options: GatewayOptions = {}) => {
  const gateway = await createGateway(options);
  const agent = await addAgent(gateway);
  const taskId = await addTask(gateway, agent);
  return { gateway, agent, taskId, [Symbol.asyncDispose]: gateway.close };
};

const reasonOf = async (
  gateway: Gateway,
  authorization: string | null,
  rest: { readonly accountId?: string; readonly source?: string } = {},
) => {
  const decision = await gateway.decide({ authorization, ...rest });
  return "reason" in decision ? decision.reason : decision.kind;
};

describe("an agent's request", () => {
  it("is accepted with a valid assertion, and says whose it is", async () => {
    await using setup = await start();
    const { gateway, agent, taskId } = setup;
    const nowMs = Date.now();
    const decision = await gateway.authenticate({
      authorization: headerOf(agent, taskId, nowMs),
      accountId: "account-1",
    });
    expect(decision).toEqual({
      kind: "agent",
      agentRuntimeId: "agent-1",
      taskId,
      account,
      signedAtMs: Math.floor(nowMs / 1000) * 1000,
    });
  });

  it("is decided without waiting once the agent and its task are known", async () => {
    await using setup = await start();
    const { gateway, agent, taskId } = setup;
    const nowMs = Date.now();
    expect(gateway.decide({ authorization: headerOf(agent, taskId, nowMs) })).toBeInstanceOf(
      Promise,
    );
    await gateway.authenticate({ authorization: headerOf(agent, taskId, nowMs - 1000) });
    expect(gateway.decide({ authorization: headerOf(agent, taskId, nowMs - 2000) })).toMatchObject({
      kind: "agent",
    });
  });

  it.each([
    ["no header", null, "missing_authorization"],
    ["another scheme", "Basic abc", "unknown_scheme"],
    ["a bearer token", "Bearer abc", "unknown_scheme"],
    ["an envelope that is not base64url", "AgentAssertion !", "malformed_assertion"],
    ["no envelope", "AgentAssertion", "malformed_assertion"],
  ])("is rejected with %s: %s → %s", async (_name, header, reason) => {
    await using setup = await start();
    expect(await reasonOf(setup.gateway, header)).toBe(reason);
  });

  it.each([
    ["of an unknown agent", "unknown_agent", { agentRuntimeId: "agent-2" }],
    ["of the agent __proto__", "unknown_agent", { agentRuntimeId: "__proto__" }],
    ["of the agent constructor", "unknown_agent", { agentRuntimeId: "constructor" }],
    ["for a task that is not registered", "unknown_task", { taskId: "task_other" }],
    ["for the task __proto__", "unknown_task", { taskId: "__proto__" }],
    ["that is six minutes old", "stale_timestamp", { offsetMs: -360_000 }],
    ["that is six minutes in the future", "stale_timestamp", { offsetMs: 360_000 }],
    ["whose agent id has a colon", "malformed_assertion", { agentRuntimeId: "agent:1" }],
  ])("is rejected with an assertion %s: %s", async (_name, reason, change) => {
    await using setup = await start();
    const { agent, gateway } = setup;
    const {
      offsetMs = 0,
      taskId = setup.taskId,
      ...rest
    } = { ...change } as {
      readonly offsetMs?: number;
      readonly taskId?: string;
      readonly agentRuntimeId?: string;
    };
    const header = headerOf({ ...agent, ...rest }, taskId, Date.now() + offsetMs);
    expect(await reasonOf(gateway, header)).toBe(reason);
  });

  it("is rejected with the signature of another key", async () => {
    await using setup = await start();
    const { agent, gateway, taskId } = setup;
    const header = headerOf({ ...agent, key: await generateAgentKey() }, taskId);
    expect(await reasonOf(gateway, header)).toBe("bad_signature");
  });

  it("is rejected if ChatGPT-Account-ID names another account, also for a header that was verified", async () => {
    await using setup = await start();
    const { agent, gateway, taskId } = setup;
    const header = headerOf(agent, taskId);
    expect(await reasonOf(gateway, header, { accountId: "account-1" })).toBe("agent");
    expect(await reasonOf(gateway, header, { accountId: "account-2" })).toBe("wrong_account_id");
  });

  it("needs the account's headers if they are required", async () => {
    await using setup = await start({ accountHeaders: "required" });
    const { agent, gateway, taskId } = setup;
    const header = headerOf(agent, taskId);
    expect(await reasonOf(gateway, header)).toBe("missing_account_id");
    expect(await reasonOf(gateway, header, { accountId: "account-1" })).toBe("agent");
  });

  it("is rejected at once after the agent, its account or its task was revoked here", async () => {
    await using setup = await start();
    const { agent, gateway, taskId } = setup;
    const header = headerOf(agent, taskId);
    expect(await reasonOf(gateway, header)).toBe("agent");
    expect(await gateway.revokeTask({ agentRuntimeId: "agent-1", taskId })).toBe(true);
    expect(await reasonOf(gateway, header)).toBe("unknown_task");
    const newTask = await addTask(gateway, agent);
    expect(await reasonOf(gateway, headerOf(agent, newTask))).toBe("agent");
    expect(await gateway.revokeAccount("account-1")).toBe(1);
    expect(await reasonOf(gateway, headerOf(agent, newTask))).toBe("agent_revoked");
    expect(await gateway.revokeAgent("agent-1")).toBe(false);
  });
});

/** A service whose look-ups wait with what they have read until `agentRead` and `taskRead` are resolved. */
const startWaiting = async () => {
  const key = await generateAgentKey();
  const memory = makeMemoryRegistry().service;
  const registered = { publicKey: key.sshPublicKey, account, registeredAtMs: Date.now() };
  await Effect.runPromise(memory.addAgent({ agentRuntimeId: "agent-1", ...registered }));
  const task = { agentRuntimeId: "agent-1", taskId: "task-1" };
  await Effect.runPromise(memory.addTask({ ...task, expiresAtMs: Date.now() + 600_000 }));
  const [agentRead, taskRead] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const taskLookUp = Promise.withResolvers<void>();
  const registry: AgentRegistry["Service"] = {
    ...memory,
    findAgent: (id) =>
      Effect.tap(memory.findAgent(id), () => Effect.promise(() => agentRead.promise)),
    findTask: (it) =>
      Effect.tap(memory.findTask(it), () => {
        taskLookUp.resolve();
        return Effect.promise(() => taskRead.promise);
      }),
  };
  const layer = Layer.provide(Authentication.layer(), Layer.succeed(AgentRegistry, registry));
  const service = await Effect.runPromise(
    Authentication.use((it) => Effect.succeed(it)).pipe(Effect.provide(layer)),
  );
  const authorization = headerOf({ agentRuntimeId: "agent-1", key }, "task-1");
  const send = () =>
    Effect.runPromise(Effect.result(service.authenticate({ authorization }))).then((result) =>
      result._tag === "Success" ? result.success.kind : result.failure.reason,
    );
  const revoke = async () => {
    await Effect.runPromise(memory.revokeAgent("agent-1"));
    service.forget("agent-1");
  };
  return { agentRead, taskRead, taskLookUp, send, revoke };
};

describe("a revocation while a look-up is under way", () => {
  it("of the agent takes effect for requests that come after it", async () => {
    const { agentRead, taskRead, send, revoke } = await startWaiting();
    const before = send();
    await revoke();
    const after = send();
    agentRead.resolve();
    taskRead.resolve();
    await before;
    expect(await after).toBe("agent_revoked");
    expect(await send()).toBe("agent_revoked");
  });

  it("of the task takes effect for the same header in the same second", async () => {
    vi.useFakeTimers({ now: Date.now(), toFake: ["Date"] });
    const { agentRead, taskRead, taskLookUp, send, revoke } = await startWaiting();
    agentRead.resolve();
    const before = send();
    await taskLookUp.promise;
    await revoke();
    taskRead.resolve();
    expect(await before).toBe("agent");
    expect(await send()).toBe("agent_revoked");
  });
});

describe("replay protection", () => {
  it("admits an assertion as often as configured, however it is spelled", async () => {
    await using setup = await start({ replays: { maxUses: 2 } });
    const { agent, gateway, taskId } = setup;
    const header = headerOf(agent, taskId);
    const spelled = header.replace("AgentAssertion ", "agentassertion   ");
    expect(await reasonOf(gateway, header)).toBe("agent");
    expect(await reasonOf(gateway, spelled)).toBe("agent");
    expect(await reasonOf(gateway, header)).toBe("replayed_assertion");
  });

  it("is not asked about a source with too many failures, even for a header that was verified", async () => {
    const failuresPerSource = { limit: 1, windowMs: 60_000 };
    await using setup = await start({ replays: { maxUses: 3 }, failuresPerSource });
    const { agent, gateway, taskId } = setup;
    vi.useFakeTimers({ now: Date.now(), toFake: ["Date"] });
    const header = headerOf(agent, taskId);
    const from = { source: "192.0.2.1" };
    expect(await reasonOf(gateway, header, from)).toBe("agent");
    expect(await reasonOf(gateway, "AgentAssertion !", from)).toBe("malformed_assertion");
    for (let times = 0; times < 3; times += 1)
      expect(await reasonOf(gateway, header, from)).toBe("too_many_failures");
    const other = { source: "192.0.2.2" };
    expect(await reasonOf(gateway, header, other)).toBe("agent");
    expect(await reasonOf(gateway, header, other)).toBe("agent");
    expect(await reasonOf(gateway, header, other)).toBe("replayed_assertion");
  });

  it("an agent that fills its space is limited alone, with 429", async () => {
    await using setup = await start({ replays: { maxUses: 1, maxAssertionsPerAgent: 3 } });
    const { agent, gateway, taskId } = setup;
    const nowMs = Date.now();
    const reasons = [];
    for (let second = 0; second < 5; second += 1)
      reasons.push(await reasonOf(gateway, headerOf(agent, taskId, nowMs - second * 1000)));
    expect(reasons).toEqual(["agent", "agent", "agent", "replay_space_full", "replay_space_full"]);
    const other = await addAgent(gateway, "agent-2");
    const otherTask = await addTask(gateway, other);
    expect(await reasonOf(gateway, headerOf(other, otherTask))).toBe("agent");
  });
});

describe("limits", () => {
  it("limits the requests of one agent, and says when to try again", async () => {
    await using setup = await start({ perAgent: { limit: 2, windowMs: 60_000 } });
    const { agent, gateway, taskId } = setup;
    const header = headerOf(agent, taskId);
    expect(await reasonOf(gateway, header)).toBe("agent");
    expect(await reasonOf(gateway, header)).toBe("agent");
    const limited = await gateway.decide({ authorization: header });
    expect(limited).toMatchObject({ reason: "rate_limited", status: 429 });
    expect(Number(rejectionHeaders(gateway, limited)["retry-after"])).toBeGreaterThan(0);
  });

  it("limits the requests of one source, not those of another", async () => {
    await using setup = await start({ perSource: { limit: 1, windowMs: 60_000 } });
    const { agent, gateway, taskId } = setup;
    const header = headerOf(agent, taskId);
    expect(await reasonOf(gateway, header, { source: "192.0.2.1" })).toBe("agent");
    expect(await reasonOf(gateway, header, { source: "192.0.2.1" })).toBe("rate_limited");
    expect(await reasonOf(gateway, header, { source: "192.0.2.2" })).toBe("agent");
  });

  it("rejects a source with too many failures, except for headers that were verified in this second", async () => {
    await using setup = await start({ failuresPerSource: { limit: 3, windowMs: 60_000 } });
    const { agent, gateway, taskId } = setup;
    vi.useFakeTimers({ now: Date.now(), toFake: ["Date"] });
    const verified = headerOf(agent, taskId);
    const source = "192.0.2.1";
    expect(await reasonOf(gateway, verified, { source })).toBe("agent");
    for (let attempt = 0; attempt < 3; attempt += 1)
      expect(await reasonOf(gateway, `AgentAssertion ${attempt}`, { source })).toBe(
        "malformed_assertion",
      );
    const fresh = headerOf(agent, taskId, Date.now() - 5000);
    expect(await reasonOf(gateway, fresh, { source })).toBe("too_many_failures");
    expect(await reasonOf(gateway, verified, { source })).toBe("agent");
    expect(await reasonOf(gateway, fresh, { source: "192.0.2.2" })).toBe("agent");
  });

  it("keeps unknown agents apart from known ones, and both bounded", async () => {
    await using setup = await start({ cache: { ttlMs: 60_000 } });
    const { agent, gateway, taskId } = setup;
    await gateway.authenticate({ authorization: headerOf(agent, taskId) });
    for (let index = 0; index < 12_000; index += 1)
      await gateway.decide({ authorization: forgedHeader(`forged-${index}`, taskId) });
    const sizes = await gateway.sizes();
    expect(sizes["known"]).toBe(1);
    expect(sizes["unknown"]).toBeLessThanOrEqual(10_000);
    const decision = gateway.decide({ authorization: headerOf(agent, taskId, Date.now() - 7000) });
    expect(decision).toMatchObject({ kind: "agent" });
  });
});

describe("a store that is down", () => {
  const down = Effect.fail(new StoreUnavailable({ store: "registry", problem: "it is stopped" }));
  const registry = Layer.succeed(AgentRegistry, {
    addAgent: () => down,
    findAgent: () => down,
    addTask: () => down,
    findTask: () => down,
    revokeAgent: () => down,
    revokeAccount: () => down,
    revokeTask: () => down,
  });

  it("leads to 503, never 401, and does not count as a failure of the source", async () => {
    const key = await generateAgentKey();
    const options = { failuresPerSource: { limit: 1, windowMs: 60_000 } };
    const layer = Layer.provide(Authentication.layer(options), registry);
    const service = await Effect.runPromise(
      Authentication.use((it) => Effect.succeed(it)).pipe(Effect.provide(layer)),
    );
    const context = warningContext(() => undefined);
    const authenticator = authenticatorOf(service, { context });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const decision = await authenticator.decide({
        authorization: headerOf({ agentRuntimeId: "agent-1", key }, "task-1"),
        source: "192.0.2.1",
      });
      expect(decision).toMatchObject({ reason: "store_unavailable", status: 503 });
      if (!("reason" in decision)) continue;
      const { headers, body } = authenticator.reject(decision);
      expect(headers).not.toHaveProperty("www-authenticate");
      expect(headers["retry-after"]).toBe("1");
      expect(body).not.toContain("stopped");
    }
  });
});

describe("the response to a rejected request", () => {
  it("challenges for the accepted schemes, with the reason", async () => {
    await using gateway = await createGateway({ realm: "models", users: async () => null });
    const decision = await gateway.decide({ authorization: "Bearer abc" });
    expect("reason" in decision && gateway.reject(decision)).toEqual({
      status: 401,
      headers: {
        "content-type": "application/json; charset=utf-8",
        "cache-control": "no-store",
        "www-authenticate":
          'AgentAssertion realm="models", error="invalid_token", reason="invalid_token", ' +
          'Bearer realm="models", error="invalid_token", reason="invalid_token"',
      },
      body: '{"error":{"message":"the bearer token is unknown","type":"authentication_error","code":"invalid_token"}}',
    });
  });

  it("has no error attribute if the request had no credential", async () => {
    await using gateway = await createGateway();
    const decision = await gateway.decide({ authorization: null });
    expect(rejectionHeaders(gateway, decision)["www-authenticate"]).toBe(
      'AgentAssertion realm="agent-auth", reason="missing_authorization"',
    );
  });
});

describe("metrics", () => {
  it("count requests by outcome, as Prometheus text", async () => {
    await using setup = await start();
    const { agent, gateway, taskId } = setup;
    await gateway.authenticate({ authorization: headerOf(agent, taskId) });
    await reasonOf(gateway, null);
    await reasonOf(gateway, null);
    expect(gateway.counts()).toMatchObject({ agent: 1, missing_authorization: 2 });
    const text = await gateway.prometheus();
    expect(text).toContain('agent_auth_gateway_requests_total{outcome="missing_authorization"} 2');
    expect(text).not.toContain(taskId);
  });
});
