import { inspect } from "node:util";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import {
  AgentKeyMalformed,
  BaseUrlInsecure,
  BaseUrlInvalid,
  JwtExpired,
  StoredAgentIdentityInvalid,
  TaskRegistrationRejected,
} from "../src/errors/index.ts";
import type { CachedJwks } from "../src/jwks/cache.ts";
import {
  createAgentIdentity,
  exportPkcs8,
  generateAgentKey,
  importAgentKey,
  importStoredAgent,
  jwksUrl,
  sealToAgent,
  taskApiBaseUrl,
  unsealWithAgentKey,
} from "../src/promises/index.ts";
import { loopbackServer } from "./loopback-server.ts";
import { goodClaims, makeSigningKey, mint } from "./mint.ts";
import { keyVectors } from "./vectors/index.ts";

const key = makeSigningKey("key-1");
const http = { originator: "tests", userAgent: "tests/1" };
const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;
const jwks = { keys: [key.jwk] };
const biscuit = "x-openai-authorization";

/** An authority with its JWKS and one response per registration. */
const authority = (register: { readonly status: number; readonly body: string }) =>
  loopbackServer(({ path }, _, response) => {
    if (path === "/jwks") response.end(JSON.stringify(jwks));
    else if (path.endsWith("/authenticate_app_v2")) {
      response.setHeader(biscuit, "biscuit-1").end();
    } else if (path.endsWith("/v1/agent/register")) response.end('{"agent_runtime_id":"agent-7"}');
    else response.writeHead(register.status).end(register.body);
  });

describe("createAgentIdentity", () => {
  it.live("verifies over the network and returns an imported key without showing a secret", () =>
    Effect.gen(function* () {
      const server = yield* authority({ status: 200, body: '{"task_id":"task-1"}' });
      yield* Effect.promise(async () => {
        await using client = createAgentIdentity({ http, jwks: { url: `${server.url}/jwks` } });
        const jwt = await mint(key, { exp: inAnHour() });
        const all = await Promise.all(
          Array.from({ length: 50 }, () => client.verifyAgentIdentityJwt(jwt)),
        );
        expect(server.arrived).toHaveLength(1);
        const [verified] = all;
        expect(verified).toMatchObject({
          kid: "key-1",
          agent: { agentRuntimeId: "agent-123", accountId: "account-123", planType: "pro" },
        });
        expect(verified?.key.sshPublicKey).toBe(keyVectors.public_key_ssh);
        expect(verified?.agent).not.toHaveProperty("privateKey");
        expect(inspect(all, { depth: 9, showHidden: true })).not.toContain(
          keyVectors.agent_private_key,
        );
      });
    }).pipe(Effect.scoped),
  );

  it.live("registers and replaces a task, mints a biscuit and registers an agent", () =>
    Effect.gen(function* () {
      const server = yield* authority({ status: 200, body: '{"task_id":"task-1"}' });
      yield* Effect.promise(async () => {
        await using client = createAgentIdentity({ http, jwks });
        const identity = {
          agent: { agentRuntimeId: "agent-123" },
          key: await generateAgentKey(),
          taskApiBaseUrl: server.url,
          biscuit: "biscuit-0",
        };
        expect(await Promise.all([client.task(identity), client.task(identity)])).toEqual([
          "task-1",
          "task-1",
        ]);
        expect(server.arrived).toHaveLength(1);
        expect(server.arrived[0]?.headers[biscuit]).toBe("biscuit-0");
        expect(await client.replaceTask(identity, "task-1")).toBe("task-1");
        expect(server.arrived).toHaveLength(2);
        const request = {
          baseUrl: server.url,
          accessToken: "at",
          originalMethod: "POST",
          originalUrl: server.url,
        };
        const minting = { ...identity, biscuit: request };
        expect(await client.task(minting)).toBe("task-1");
        expect(server.arrived).toHaveLength(2);
        await client.replaceTask(minting, "task-1");
        expect(
          server.arrived.slice(2).map(({ path, headers }) => [path, headers[biscuit]]),
        ).toEqual([
          ["/authenticate_app_v2", undefined],
          ["/v1/agent/agent-123/task/register", "biscuit-1"],
        ]);
        const minted = await client.mintBiscuit(request);
        expect(minted).toBe("biscuit-1");
        const registration = {
          baseUrl: server.url,
          key: identity.key,
          billOfMaterials: {
            agentVersion: "1",
            agentHarnessId: "codex-cli",
            runningLocation: "cli-linux",
          },
        } as const;
        expect(
          await client.registerAgent({ ...registration, authorization: { biscuit: minted } }),
        ).toBe("agent-7");
        expect(
          await client.registerAgent({ ...registration, authorization: { accessToken: "at" } }),
        ).toBe("agent-7");
        expect(server.arrived.at(-1)?.headers["authorization"]).toBe("Bearer at");
      });
    }).pipe(Effect.scoped),
  );

  it.live("rejects with the error classes of the package", () =>
    Effect.gen(function* () {
      const server = yield* authority({ status: 403, body: "no" });
      yield* Effect.promise(async () => {
        await using client = createAgentIdentity({ http, jwks });
        const expired = await mint(key, { exp: 1 });
        await expect(client.verifyAgentIdentityJwt(expired)).rejects.toBeInstanceOf(JwtExpired);
        await expect(client.decodeUnverifiedAgentIdentityJwt(expired)).resolves.toMatchObject({
          expiresAtMs: 1000,
          unverifiedAgent: { accountId: "account-123" },
        });
        const badKey = await mint(key, { exp: inAnHour(), agent_private_key: "AAAA" });
        await expect(client.verifyAgentIdentityJwt(badKey)).rejects.toBeInstanceOf(
          AgentKeyMalformed,
        );
        const identity = {
          agent: { agentRuntimeId: "agent-123" },
          key: await generateAgentKey(),
          taskApiBaseUrl: server.url,
        };
        await expect(client.task(identity)).rejects.toBeInstanceOf(TaskRegistrationRejected);
      });
    }).pipe(Effect.scoped),
  );

  it.live("makes no request if the JwksStore has a fresh JWKS", () =>
    Effect.gen(function* () {
      const server = yield* authority({ status: 200, body: "" });
      yield* Effect.promise(async () => {
        const url = `${server.url}/jwks`;
        const nowMs = Date.now();
        const entry: CachedJwks = {
          jwks,
          fetchedAtMs: nowMs,
          freshUntilMs: nowMs + 60_000,
          mustRevalidate: false,
        };
        const store = new Map([[url, entry]]);
        await using client = createAgentIdentity({
          http,
          jwks: { url },
          jwksStore: {
            load: (asked) => Promise.resolve(store.get(asked) ?? null),
            save: () => Promise.reject(new Error("read only")),
          },
        });
        const jwt = await mint(key, { exp: inAnHour() });
        expect((await client.verifyAgentIdentityJwt(jwt)).kid).toBe("key-1");
        expect(server.arrived).toHaveLength(0);
      });
    }).pipe(Effect.scoped),
  );

  const broken = new Error("broken");
  it.live.each([
    ["rejects", () => Promise.reject(broken)],
    [
      "throws",
      () => {
        throw broken;
      },
    ],
  ] as const)("fetches the JWKS if the JwksStore %s", ([, fail]) =>
    Effect.gen(function* () {
      const server = yield* authority({ status: 200, body: "" });
      yield* Effect.promise(async () => {
        const url = `${server.url}/jwks`;
        const failed: Array<string> = [];
        await using client = createAgentIdentity({
          http,
          jwks: { url },
          jwksStore: {
            load: () => (failed.push("load"), fail()),
            save: () => (failed.push("save"), fail()),
          },
        });
        const jwt = await mint(key, { exp: inAnHour() });
        expect((await client.verifyAgentIdentityJwt(jwt)).kid).toBe("key-1");
        expect([server.arrived.length, failed]).toEqual([1, ["load", "save"]]);
      });
    }).pipe(Effect.scoped),
  );
});

describe("importStoredAgent", () => {
  it("returns the agent and its key, without the private key in the profile", async () => {
    const { agent, key: imported } = await importStoredAgent({
      ...goodClaims,
      task_id: "task-1",
    });
    expect(agent).toMatchObject({ agentRuntimeId: "agent-123", taskId: "task-1" });
    expect(agent).not.toHaveProperty("privateKey");
    expect(imported.sshPublicKey).toBe(keyVectors.public_key_ssh);
  });

  it("rejects a wrong shape or key", async () => {
    await expect(importStoredAgent({})).rejects.toBeInstanceOf(StoredAgentIdentityInvalid);
    const badKey = { ...goodClaims, agent_private_key: "AAAA" };
    await expect(importStoredAgent(badKey)).rejects.toBeInstanceOf(AgentKeyMalformed);
  });
});

describe("URLs as Promises", () => {
  it("are those of docs/protocol.md §5, or reject with a typed error", async () => {
    expect(await jwksUrl("https://chatgpt.com")).toBe(
      "https://chatgpt.com/backend-api/wham/agent-identities/jwks",
    );
    expect(await taskApiBaseUrl({ chatgptBaseUrl: "http://localhost:1/" })).toBe(
      "http://localhost:1",
    );
    await expect(jwksUrl("http://own.example")).rejects.toBeInstanceOf(BaseUrlInsecure);
    await expect(
      taskApiBaseUrl({ chatgptBaseUrl: "https://own.example", override: "x" }),
    ).rejects.toBeInstanceOf(BaseUrlInvalid);
  });
});

describe("keys as Promises", () => {
  it("imports, exports, encrypts and decrypts", async () => {
    const agentKey = await importAgentKey(keyVectors.agent_private_key_v2);
    expect(exportPkcs8(agentKey)).toBe(keyVectors.agent_private_key);
    await expect(importAgentKey("***")).rejects.toBeInstanceOf(AgentKeyMalformed);
    const sealed = await sealToAgent(agentKey.publicKeyRaw, "task-1");
    expect(Buffer.from(await unsealWithAgentKey(agentKey, sealed)).toString()).toBe("task-1");
  });
});
