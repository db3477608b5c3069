import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import {
  expressMiddleware,
  fastifyHook,
  honoMiddleware,
  nodeListener,
  principalOf,
  serveEndpoints,
  sourceOfAddress,
  webHandler,
} from "@agent-auth/gateway/middleware";
import { createGateway, type Gateway } from "@agent-auth/gateway/promises";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { addAgent, addTask, errorOf, headerOf } from "./support.ts";

const listen = async (listener: RequestListener) => {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
};

const nameOf = (request: object): string => {
  const principal = principalOf(request);
  return principal.kind === "agent" ? principal.agentRuntimeId : principal.subject;
};

type Send = (headers: Record<string, string>) => Promise<Response>;

/** A server of each kind behind the gateway; it responds with the name of the caller. */
const servers: ReadonlyArray<{
  readonly name: string;
  readonly run: (gateway: Gateway, use: (send: Send) => Promise<void>) => Promise<void>;
}> = [
  {
    name: "node:http",
    run: async (gateway, use) => {
      await using server = await listen(
        nodeListener(gateway, (request, response) => response.end(nameOf(request))),
      );
      await use((headers) => fetch(server.url, { headers }));
    },
  },
  {
    name: "Express",
    run: async (gateway, use) => {
      const app = express();
      app.use(expressMiddleware(gateway));
      app.get("/", (request, response) => {
        response.send(nameOf(request));
      });
      await using server = await listen(app);
      await use((headers) => fetch(server.url, { headers }));
    },
  },
  {
    name: "Fastify",
    run: async (gateway, use) => {
      const app = fastify();
      app.addHook("onRequest", fastifyHook(gateway));
      app.get("/", (request, reply) => {
        void reply.send(nameOf(request));
      });
      const url = await app.listen({ port: 0, host: "127.0.0.1" });
      await use((headers) => fetch(url, { headers }));
      await app.close();
    },
  },
  {
    name: "Hono",
    run: async (gateway, use) => {
      const app = new Hono();
      app.use(honoMiddleware(gateway));
      app.get("/", (context) => context.text(nameOf(context.req.raw)));
      await use(async (headers) => app.request("/", { headers }));
    },
  },
  {
    name: "plain Web handlers",
    run: async (gateway, use) => {
      const handler = webHandler(gateway, (request) => new Response(nameOf(request)));
      await use((headers) => handler(new Request("https://models.example/", { headers })));
    },
  },
];

describe.each(servers)("the middleware for $name", ({ run }) => {
  it("lets an agent in, whether or not it is known already", async () => {
    await using gateway = await createGateway();
    const agent = await addAgent(gateway);
    const taskId = await addTask(gateway, agent);
    await run(gateway, async (send) => {
      for (const offsetMs of [0, 0, -1000]) {
        const authorization = headerOf(agent, taskId, Date.now() + offsetMs);
        const response = await send({ authorization, "chatgpt-account-id": "account-1" });
        expect([response.status, await response.text()]).toEqual([200, "agent-1"]);
      }
    });
  });

  it("responds with 401 and a challenge to everyone else", async () => {
    await using gateway = await createGateway();
    const agent = await addAgent(gateway);
    await run(gateway, async (send) => {
      const none = await send({});
      expect(none.headers.get("www-authenticate")).toBe(
        'AgentAssertion realm="agent-auth", reason="missing_authorization"',
      );
      expect(await errorOf(none)).toEqual([401, "missing_authorization"]);
      const wrong = await send({ authorization: headerOf(agent, "task_other") });
      expect(wrong.headers.get("www-authenticate")).toContain('reason="unknown_task"');
      expect(await errorOf(wrong)).toEqual([401, "unknown_task"]);
    });
  });

  it("lets people in beside agents, with the scopes of their token", async () => {
    await using gateway = await createGateway({
      users: async (token) => (token === "good" ? { subject: "ada", scopes: [] } : null),
    });
    await run(gateway, async (send) => {
      const response = await send({ authorization: "Bearer good" });
      expect([response.status, await response.text()]).toEqual([200, "ada"]);
      expect(await errorOf(await send({ authorization: "Bearer bad" }))).toEqual([
        401,
        "invalid_token",
      ]);
    });
  });

  it("responds with 503 if the store is down, says when to try again, and warns", async () => {
    const warnings: Array<string> = [];
    await using gateway = await createGateway({
      users: async () => {
        throw new Error("the database at db.internal is down");
      },
      onWarning: (line) => void warnings.push(line),
    });
    await run(gateway, async (send) => {
      const response = await send({ authorization: "Bearer good" });
      expect(response.headers.get("retry-after")).toBe("1");
      expect(response.headers.has("www-authenticate")).toBe(false);
      const text = await response.text();
      expect(response.status).toBe(503);
      expect(text).not.toContain("internal");
      expect(warnings).toEqual([
        "requests get 503: the users store is unavailable: the callback failed",
      ]);
    });
  });
});

describe("serveEndpoints", () => {
  it("serves the endpoints, and leaves other paths to the next handler", async () => {
    await using gateway = await createGateway({
      issuer: { issuer: "https://codex.example", keys: "memory" },
    });
    const endpoints = serveEndpoints(gateway);
    await using server = await listen((request, response) =>
      endpoints(request, response, () => response.end("models")),
    );
    const jwks = await fetch(`${server.url}/backend-api/wham/agent-identities/jwks`);
    expect(await jwks.json()).toMatchObject({ keys: [{ kty: "RSA", alg: "RS256", use: "sig" }] });
    expect(await (await fetch(`${server.url}/v1/responses`)).text()).toBe("models");
    expect(await (await fetch(`${server.url}/v1/agent/other`)).text()).toBe("models");
  });

  it("limits failed requests of one source, whatever source a client claims", async () => {
    await using gateway = await createGateway({
      endpoints: { failuresPerSource: { limit: 2, windowMs: 60_000 } },
    });
    const endpoints = serveEndpoints(gateway);
    await using server = await listen((request, response) =>
      endpoints(request, response, () => response.end("models")),
    );
    const statuses = [];
    for (const claimed of ["a", "b", "c"]) {
      const response = await fetch(`${server.url}/v1/agent/x/task/register`, {
        method: "POST",
        headers: { "x-agent-auth-source": claimed },
        body: "{}",
      });
      statuses.push(response.status);
    }
    expect(statuses).toEqual([400, 400, 429]);
  });
});

describe("principalOf", () => {
  it("throws for a request that did not pass the middleware", () => {
    expect(() => principalOf(new Request("https://models.example"))).toThrowError(TypeError);
  });
});

describe("sourceOfAddress", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8::/64"],
    ["::1", "::/64"],
  ])("of %s is %s", (address, source) => {
    expect(sourceOfAddress(address)).toBe(source);
  });
});
