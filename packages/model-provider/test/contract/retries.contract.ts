import { describe, expect, it } from "vitest";
import { apiKey } from "../support/credentials.ts";
import { textOf } from "../support/clients.ts";
import { managerOf } from "../support/managers.ts";
import { providerAt } from "../support/providers.ts";
import { answer, startServer } from "../support/server.ts";
import { statuses, parts, type OpenClient } from "./open-client.ts";

/** Each client wraps it in its own way. */
const brokenConnection = {
  stack: expect.stringMatching(/other side closed|ECONNRESET|fetch failed|Transport error/),
};

/** When a request is sent again, and after how long. */
export const retriesContract = (name: string, openClient: OpenClient): void => {
  describe(`${name}: retries`, () => {
    it("of 5xx and 429 are as many as configured", async () => {
      await using server = await startServer(statuses(500, 429, 502, 200));
      const provider = providerAt(server.url, { requestMaxRetries: 3 });
      const one = openClient({ provider, manager: managerOf(apiKey()), retryBaseDelayMs: 0 });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
      expect([got.status, server.seen.map((request) => request.body)]).toEqual([
        200,
        ["p", "p", "p", "p"],
      ]);
    });

    it("need a configuration, a 5xx or 429, and a body that can be sent again", async () => {
      await using server = await startServer(statuses(503, 404, 503));
      const without = openClient({
        provider: providerAt(server.url),
        manager: managerOf(apiKey()),
      });
      expect((await without.send(`${server.url}/x`)).status).toBe(503);
      const one = openClient({
        provider: providerAt(server.url),
        manager: managerOf(apiKey()),
        maxRetries: 3,
      });
      expect((await one.send(`${server.url}/x`)).status).toBe(404);
      const streamed = await one.send(`${server.url}/x`, { method: "POST", body: parts("p") });
      expect([streamed.status, server.seen.length]).toEqual([503, 3]);
    });

    it("end with the last response", async () => {
      await using server = await startServer(statuses(503));
      const provider = providerAt(server.url);
      const one = openClient({
        provider,
        manager: managerOf(apiKey()),
        maxRetries: 2,
        retryBaseDelayMs: 0,
      });
      const got = await one.send(`${server.url}/x`);
      expect([got.status, await textOf(got)]).toEqual([503, "answer 3"]);
    });

    it("wait as Retry-After says, unless it says more than retryMaxDelayMs", async () => {
      await using server = await startServer((_request, response, count) =>
        answer(response, count === 2 ? 200 : 503, "", { "retry-after": count === 1 ? "0" : "61" }),
      );
      const provider = providerAt(server.url);
      const one = openClient({
        provider,
        manager: managerOf(apiKey()),
        maxRetries: 3,
        retryBaseDelayMs: 60_000,
      });
      expect((await one.send(`${server.url}/x`)).status).toBe(200);
      expect((await one.send(`${server.url}/x`)).status).toBe(503);
      expect(server.seen).toHaveLength(3);
    });

    it("follow a broken connection", async () => {
      await using server = await startServer((_request, response, count) => {
        if (count === 1) response.destroy();
        else answer(response, 200);
      });
      const provider = providerAt(server.url);
      const one = openClient({
        provider,
        manager: managerOf(apiKey()),
        maxRetries: 1,
        retryBaseDelayMs: 0,
      });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
      expect([got.status, server.seen.length]).toEqual([200, 2]);
    });

    it.each(["GET", "HEAD"] as const)(
      "are not needed for a %s on a pooled connection that the server resets",
      async (method) => {
        const used = new WeakSet<object>();
        await using server = await startServer((_request, response) => {
          const { socket } = response;
          if (socket !== null && used.has(socket)) return void socket.resetAndDestroy();
          if (socket !== null) used.add(socket);
          answer(response, 200, method === "HEAD" ? "" : "ok");
        });
        const one = openClient({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
        for (let round = 0; round < 6; round++) {
          const got = await one.send(`${server.url}/x`, { method });
          if (method === "GET") await textOf(got);
          expect(got.status).toBe(200);
        }
      },
    );

    it("are not needed for a request with an Idempotency-Key whose connection breaks", async () => {
      await using server = await startServer((_request, response, count) => {
        if (count === 1) response.destroy();
        else answer(response, 200);
      });
      const one = openClient({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      const got = await one.send(`${server.url}/x`, {
        method: "POST",
        headers: { "Idempotency-Key": "k-1" },
        body: "p",
      });
      expect([got.status, server.seen.map(({ body }) => body)]).toEqual([200, ["p", "p"]]);
    });

    it("of a POST whose connection breaks have to be configured", async () => {
      await using server = await startServer((_request, response) => {
        response.destroy();
      });
      const one = openClient({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      await expect(
        one.send(`${server.url}/x`, { method: "POST", body: "p" }),
      ).rejects.toMatchObject(brokenConnection);
      expect(server.seen).toHaveLength(1);
    });

    it("leave the error to the caller if every connection breaks", async () => {
      await using server = await startServer((_request, response) => {
        response.destroy();
      });
      const one = openClient({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      await expect(one.send(`${server.url}/x`)).rejects.toMatchObject(brokenConnection);
      expect(server.seen).toHaveLength(4);
    });
  });
};
