import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { createServer } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Authentication, UserTokens } from "@agent-auth/gateway/authentication";
import { Endpoints } from "@agent-auth/gateway/endpoints";
import { authenticatorOf, serveEndpoints } from "@agent-auth/gateway/middleware";
import { createGateway, type GatewayOptions } from "@agent-auth/gateway/promises";
import { AgentRegistry, makeMemoryRegistry } from "@agent-auth/gateway/registry";
import { callerLayer } from "@agent-auth/agent-identity/promises/caller-context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import { afterEach, describe, expect, it, vi } from "vitest";
import { account, addAgent, errorOf, forgedHeader } from "./support.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** A gateway over a SQLite file, whose table of agents can be lost. */
const start = async (options: GatewayOptions = {}) => {
  const folder = await mkdtemp(join(tmpdir(), "gateway-failures-"));
  const path = join(folder, "agents.db");
  const warnings: Array<string> = [];
  const gateway = await createGateway({
    ...options,
    store: { kind: "sqlite", path },
    onWarning: (line) => void warnings.push(line),
  });
  return {
    gateway,
    warnings,
    run: (sql: string) => {
      const database = new DatabaseSync(path);
      database.exec(sql);
      database.close();
    },
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      await rm(folder, { recursive: true });
    },
  };
};

const registryProblem = (problem: string) =>
  `requests get 503: the registry store is unavailable: ${problem}`;
const lost = registryProblem("a statement failed (UnknownError)");

describe("a store that fails", () => {
  it("is logged once in ten seconds, with the number of failures that were left out", async () => {
    await using setup = await start();
    const { gateway, run, warnings } = setup;
    run("DROP TABLE gateway_agent");
    vi.useFakeTimers({ now: Date.now(), toFake: ["Date"] });
    const send = () => gateway.decide({ authorization: forgedHeader("agent-1", "task-1") });
    for (let times = 0; times < 5; times += 1) expect(await send()).toMatchObject({ status: 503 });
    expect(warnings).toEqual([lost]);
    vi.setSystemTime(Date.now() + 10_000);
    await send();
    expect(warnings).toEqual([lost, `${lost} (and 4 times since the last line)`]);
    expect(gateway.counts()).toEqual({ store_unavailable: 6 });
  });

  it.each([
    ["an account that is not JSON", "account = '{'", "an account is broken"],
    ["an account that is not an object", "account = '[]'", "an account is broken"],
    ["an account without an id", "account = '{}'", "an account is broken"],
    [
      "an account with two ids",
      `account = '{"accountId":"account-1","accountId":"account-2"}'`,
      "an account is broken",
    ],
    [
      "a broken public key",
      "public_key = 'ssh-ed25519 AAAA'",
      "a public key is broken: it is not an ssh-ed25519 key",
    ],
  ])("leads to 503 for an agent with %s", async (_name, change, problem) => {
    await using setup = await start();
    const { gateway, run, warnings } = setup;
    await addAgent(gateway);
    run(`UPDATE gateway_agent SET ${change}`);
    const decision = await gateway.decide({ authorization: forgedHeader("agent-1", "task-1") });
    expect(decision).toMatchObject({ reason: "store_unavailable", status: 503 });
    expect(warnings).toEqual([registryProblem(problem)]);
  });

  it("is logged if an endpoint meets it", async () => {
    await using setup = await start();
    const { gateway, run, warnings } = setup;
    run("DROP TABLE gateway_agent");
    const url = "https://codex.example/v1/agent/agent-1/task/register";
    const body = '{"timestamp":"2026-04-13T12:00:00Z","signature":"AAAA"}';
    const response = await gateway.handle(new Request(url, { method: "POST", body }));
    expect(await errorOf(response)).toEqual([503, "store_unavailable"]);
    expect(warnings).toEqual([lost]);
  });

  it("never makes whoami reject an identity JWT as a person's token", async () => {
    const issuer = { issuer: "https://codex.example", keys: "memory" } as const;
    await using setup = await start({ issuer, users: async () => null });
    const { gateway, run, warnings } = setup;
    const { jwt } = await gateway.mint({ account });
    run("DROP TABLE gateway_agent");
    const response = await gateway.handle(
      new Request("https://codex.example/v1/user-auth-credential/whoami", {
        headers: { authorization: `Bearer ${jwt}` },
      }),
    );
    expect(await errorOf(response)).toEqual([503, "store_unavailable"]);
    expect(warnings).toEqual([lost]);
  });
});

describe("whoami, if people are accepted as well", () => {
  it("says that the agent of an identity JWT was revoked", async () => {
    const issuer = { issuer: "https://codex.example", keys: "memory" } as const;
    await using gateway = await createGateway({ issuer, users: async () => null });
    const { agentRuntimeId, jwt } = await gateway.mint({ account });
    await gateway.revokeAgent(agentRuntimeId);
    const request = new Request("https://codex.example/v1/user-auth-credential/whoami", {
      headers: { authorization: `Bearer ${jwt}` },
    });
    expect(await errorOf(await gateway.handle(request))).toEqual([401, "agent_revoked"]);
  });
});

describe("a service of the program that dies", () => {
  const warnings: Array<string> = [];
  const dying = Effect.die(new TypeError("secret of the program"));
  const services = Layer.mergeAll(
    Layer.sync(AgentRegistry, () => ({ ...makeMemoryRegistry().service, findAgent: () => dying })),
    Layer.succeed(UserTokens, { verify: () => dying }),
    callerLayer({ onWarning: (line) => void warnings.push(line) }),
  );
  const layer = Endpoints.layer().pipe(
    Layer.provideMerge(Authentication.layer()),
    Layer.provideMerge(services),
  );

  const throwing = Layer.succeed(UserTokens, {
    verify: () => {
      throw new TypeError("secret of the program");
    },
  });
  it.each([
    ["in its Effect", layer],
    [
      "before it returns one",
      Authentication.layer().pipe(Layer.provideMerge(Layer.merge(services, throwing))),
    ],
  ] as const)("leads to 503 %s, and its error is logged by name only", async (_, layer) => {
    warnings.length = 0;
    const program = Effect.gen(function* () {
      const context = yield* Effect.context();
      const authenticator = authenticatorOf(yield* Authentication, { context });
      return yield* Effect.promise(async () =>
        authenticator.decide({ authorization: "Bearer token" }),
      );
    });
    const decision = await Effect.runPromise(Effect.provide(program, layer));
    expect(decision).toMatchObject({ reason: "store_unavailable", status: 503 });
    expect(warnings).toEqual(["requests get an error: an unexpected TypeError"]);
  });

  it("leads to 500 at an endpoint, and its error is logged by name only", async () => {
    warnings.length = 0;
    const request = new Request("https://codex.example/v1/agent/a/task/register", {
      method: "POST",
      body: '{"timestamp":"2026-04-13T12:00:00Z","signature":"AAAA"}',
    });
    const program = Endpoints.use((endpoints) => endpoints.handle(request));
    const response = await Effect.runPromise(Effect.provide(program, layer));
    expect(await errorOf(response)).toEqual([500, "internal_error"]);
    expect(warnings).toEqual(["requests get an error: an unexpected TypeError"]);
  });
});

describe("serveEndpoints", () => {
  it("responds with 400 to a request target that is neither a path nor a URL", async () => {
    await using gateway = await createGateway();
    const endpoints = serveEndpoints(gateway);
    const server = createServer((request, response) =>
      endpoints(request, response, () => response.end("models")),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address: unknown = server.address();
    const socket = connect(Number(Reflect.get(Object(address), "port")), "127.0.0.1");
    socket.write("GET http://[/agent/ HTTP/1.1\r\nHost: a\r\n\r\n");
    const [piece]: ReadonlyArray<unknown> = await once(socket, "data");
    expect(String(piece)).toContain("400 Bad Request");
    socket.destroy();
    server.close();
  });
});
