import type { ModelProviderConfig } from "@agent-auth/login/config";
import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import { agent, apiKey, chatgpt } from "../support/credentials.ts";
import { textOf } from "../support/clients.ts";
import { managerOf } from "../support/managers.ts";
import { providerAt } from "../support/providers.ts";
import { startServer } from "../support/server.ts";
import { rejection, statuses, authorizations, type OpenClient } from "./open-client.ts";

const secret = (name: string) => ({ [name]: Redacted.make("configured") });

/** Which headers a request has, and where it may go. */
export const headersContract = (name: string, openClient: OpenClient): void => {
  describe(`${name}: headers`, () => {
    it("are those of the credential, the provider and the caller", async () => {
      await using server = await startServer(statuses(200));
      const provider = providerAt(
        `${server.url}/v1`,
        {
          envHttpHeaders: { "X-Team": "TEAM" },
          queryParams: { "api-version": Redacted.make("7"), x: Redacted.make("provider") },
        },
        { TEAM: "blue" },
      );
      const one = openClient({ provider, manager: managerOf(chatgpt("access-1")) });
      const got = await one.send(`${server.url}/v1/responses?x=caller`, {
        method: "POST",
        headers: { "content-type": "text/plain", "x-own": "1" },
        body: "hi",
      });
      expect([got.status, await textOf(got)]).toEqual([200, "answer 1"]);
      expect(server.seen).toMatchObject([
        {
          method: "POST",
          url: "/v1/responses?x=caller&api-version=7",
          body: "hi",
          headers: {
            authorization: "Bearer access-1",
            "chatgpt-account-id": "acc-1",
            "x-team": "blue",
            "x-own": "1",
            "content-type": "text/plain",
          },
        },
      ]);
    });

    it("of the credential and the provider replace those of the caller, in any spelling", async () => {
      await using server = await startServer(statuses(200));
      const provider = providerAt(
        server.url,
        { envHttpHeaders: { "X-Team": "TEAM" } },
        { TEAM: "blue" },
      );
      const one = openClient({ provider, manager: managerOf(apiKey("sk-real")) });
      await one.send(`${server.url}/x`, {
        headers: {
          AUTHORIZATION: "Bearer placeholder",
          "ChatGPT-Account-Id": "someone",
          "x-team": "red",
        },
      });
      expect(server.seen[0]?.headers).toMatchObject({
        authorization: "Bearer sk-real",
        "x-team": "blue",
      });
      expect(server.seen[0]?.headers).not.toHaveProperty("chatgpt-account-id");
    });

    it("of the credential replace those that the provider's configuration sets", async () => {
      await using server = await startServer(statuses(200));
      const httpHeaders = {
        Authorization: Redacted.make("Bearer configured"),
        "chatgpt-account-id": Redacted.make("configured"),
        "X-OpenAI-Fedramp": Redacted.make("true"),
        "x-kept": Redacted.make("1"),
      };
      const provider = providerAt(server.url, { httpHeaders });
      await openClient({ provider, manager: managerOf(apiKey("sk-real")) }).send(`${server.url}/x`);
      const { headers } = server.seen[0] ?? { headers: {} };
      expect(headers).toMatchObject({ authorization: "Bearer sk-real", "x-kept": "1" });
      expect(headers).not.toHaveProperty("chatgpt-account-id");
      expect(headers).not.toHaveProperty("x-openai-fedramp");
    });

    const configured: ReadonlyArray<
      readonly [string, Partial<ModelProviderConfig>, readonly [name: string, value: string]]
    > = [
      ["env_http_headers", { envHttpHeaders: { "api-key": "KEY" } }, ["api-key", "configured"]],
      ["http_headers", { httpHeaders: secret("api-key") }, ["api-key", "configured"]],
      [
        "a subscription key",
        { httpHeaders: secret("Ocp-Apim-Subscription-Key") },
        ["ocp-apim-subscription-key", "configured"],
      ],
      [
        "a header from a variable",
        { envHttpHeaders: { "X-Team": "KEY" } },
        ["x-team", "configured"],
      ],
      ["a cookie", { httpHeaders: secret("Cookie") }, ["cookie", "configured"]],
    ];
    it.each(configured)(
      "that are a configured credential replace a client's key and Authorization: %s",
      async (_which, table, [name, value]) => {
        await using server = await startServer(statuses(200));
        const provider = providerAt(
          server.url,
          { requiresOpenaiAuth: false, ...table },
          { KEY: "configured" },
        );
        const one = openClient({ provider });
        await one.send(`${server.url}/x`, {
          headers: { [name.toUpperCase()]: "unused", Authorization: "Bearer unused", "x-own": "1" },
        });
        const { headers } = server.seen[0] ?? { headers: {} };
        expect(headers).toMatchObject({ [name]: value, "x-own": "1" });
        expect(headers).not.toHaveProperty("authorization");
      },
    );

    it("that a configured Authorization sets replace a client's", async () => {
      await using server = await startServer(statuses(200));
      const httpHeaders = { Authorization: Redacted.make("Basic configured") };
      const provider = providerAt(server.url, { requiresOpenaiAuth: false, httpHeaders });
      await openClient({ provider }).send(`${server.url}/x`, {
        headers: { authorization: "Bearer unused" },
      });
      expect(authorizations(server)).toEqual(["Basic configured"]);
    });

    it("of a client keep its Authorization beside configured headers that are not a credential", async () => {
      await using server = await startServer(statuses(200));
      const httpHeaders = { "X-Feature": Redacted.make("on"), "X-Author": Redacted.make("me") };
      const provider = providerAt(server.url, { requiresOpenaiAuth: false, httpHeaders });
      await openClient({ provider }).send(`${server.url}/x`, {
        headers: { authorization: "Bearer own" },
      });
      expect(server.seen[0]?.headers).toMatchObject({
        authorization: "Bearer own",
        "x-feature": "on",
      });
    });

    it("of a client stay as they are if the provider has no credential", async () => {
      await using server = await startServer(statuses(200));
      const one = openClient({ provider: providerAt(server.url, { requiresOpenaiAuth: false }) });
      await one.send(`${server.url}/x`, { headers: { authorization: "Bearer own" } });
      await one.send(`${server.url}/x`);
      expect(authorizations(server)).toEqual(["Bearer own", undefined]);
    });

    it("are signed anew for every attempt", async () => {
      await using server = await startServer(statuses(503, 503, 200));
      let nowMs = 5_000;
      const one = openClient({
        provider: providerAt(server.url),
        manager: managerOf(agent("task-1")),
        now: () => (nowMs += 1_000),
        maxRetries: 2,
        retryBaseDelayMs: 0,
      });
      await one.send(`${server.url}/x`);
      const seen = authorizations(server);
      expect(seen).toHaveLength(3);
      expect(new Set(seen).size).toBe(3);
      expect(seen.every((value) => value?.startsWith("AgentAssertion task-1."))).toBe(true);
    });
  });

  describe(`${name}: other origins`, () => {
    it("get requests without the credential and without the provider's headers", async () => {
      await using home = await startServer(statuses(200));
      await using other = await startServer(statuses(401));
      const provider = providerAt(
        home.url,
        { envHttpHeaders: { "api-key": "K" } },
        { K: "secret" },
      );
      const manager = managerOf(chatgpt(), chatgpt("access-2"));
      const one = openClient({ provider, manager });
      expect((await one.send(`${other.url}/x`, { headers: { "x-own": "1" } })).status).toBe(401);
      expect(other.seen).toHaveLength(1);
      expect(other.seen[0]?.headers).toMatchObject({ "x-own": "1" });
      for (const header of ["authorization", "chatgpt-account-id", "api-key"])
        expect(other.seen[0]?.headers).not.toHaveProperty(header);
      expect(manager.recoveries()).toBe(0);
    });

    it("get no requests with otherOrigins: reject", async () => {
      await using home = await startServer(statuses(200));
      await using other = await startServer(statuses(200));
      const one = openClient({
        provider: providerAt(home.url),
        manager: managerOf(apiKey()),
        otherOrigins: "reject",
      });
      expect(await rejection(one, one.send(`${other.url}/x`))).toMatchObject({
        code: "PROVIDER_REQUEST_ORIGIN_NOT_ALLOWED",
        origin: other.url,
      });
      expect(other.seen).toEqual([]);
    });
  });
};
