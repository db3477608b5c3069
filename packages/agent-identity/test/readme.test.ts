// The programs in README.md are files in test/readme, which are run here. So is the same program with Effect.
import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { makeAssertionSigner } from "../src/assertion/index.ts";
import { parseAgentAssertion } from "../src/assertion/verifier.ts";
import { generateAgentKey } from "../src/promises/index.ts";
import { loopbackServer } from "./loopback-server.ts";
import { makeSigningKey, mint } from "./mint.ts";
import { main as effectMain } from "./readme/effect.ts";
import { makeGateway } from "./readme/gateway.ts";
import { headersFor } from "./readme/promise.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const programs = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, program]) => program);
const key = makeSigningKey("key-1");

const backend = loopbackServer(({ path }, _, response) => {
  if (path.endsWith("/jwks")) response.end(JSON.stringify({ keys: [key.jwk] }));
  else response.end('{"task_id":"task-1"}');
});
const freshToken = () => mint(key, { exp: Math.floor(Date.now() / 1000) + 60 });

const portOf = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });

describe("README.md", () => {
  it.each(["promise", "gateway"])("contains the %s program that is run here", (name) => {
    const file = readFileSync(new URL(`./readme/${name}.ts`, import.meta.url), "utf8");
    expect(programs).toContain(file);
  });

  it.live("the Effect program signs headers or reports what is wrong", () =>
    Effect.gen(function* () {
      const { url } = yield* backend;
      const base = `${url}/backend-api`;
      const headers = yield* effectMain(yield* Effect.promise(freshToken), base);
      const authorization = typeof headers === "string" ? headers : headers.authorization;
      expect(yield* parseAgentAssertion(authorization)).toMatchObject({ taskId: "task-1" });
      const expired = yield* Effect.promise(() => mint(key, { exp: 1 }));
      expect(yield* effectMain(expired, base)).toBe("get a new token");
      expect(yield* effectMain("nonsense", base)).toBe(
        "AGENT_IDENTITY_JWT_FORMAT_INVALID: invalid agent identity JWT format: it does not have three parts. Pass the whole agent identity JWT, and nothing else.",
      );
    }).pipe(Effect.scoped),
  );

  it.live("the Promise program signs headers or reports what is wrong", () =>
    Effect.gen(function* () {
      const { url } = yield* backend;
      const headers = yield* Effect.promise(async () => headersFor(await freshToken(), url));
      expect(headers).toMatchObject({ "chatgpt-account-id": "account-123" });
      const expired = yield* Effect.promise(() => mint(key, { exp: 1 }));
      expect(yield* Effect.promise(() => headersFor(expired, url))).toBe("get a new token");
    }).pipe(Effect.scoped),
  );

  it("the gateway serves registered agents only", async () => {
    const agentKey = await generateAgentKey();
    const publicKeys = new Map([["agent-1", agentKey.sshPublicKey]]);
    await using server = makeGateway({
      publicKeys,
      tasks: new Map([["agent-1", new Set(["task-1"])]]),
    });
    const url = `http://127.0.0.1:${await portOf(server)}/`;
    const as = (agentRuntimeId: string, taskId: string) =>
      makeAssertionSigner({ key: agentKey, agentRuntimeId, taskId }).authorizationAt(Date.now());
    const get = (headers: Record<string, string>) => fetch(url, { headers });
    const good = await get({ authorization: as("agent-1", "task-1") });
    expect([good.status, await good.text()]).toEqual([200, "hello, agent-1\n"]);
    for (const authorization of [as("agent-1", "task-9"), as("agent-9", "task-1"), "Bearer x", ""])
      expect((await get({ authorization })).status).toBe(401);
  });
});
