import { describe, expect, it, vi } from "vitest";
import type { Credential } from "@agent-auth/login/credential";
import { apiKey, bearer } from "../support/credentials.ts";
import { textOf } from "../support/clients.ts";
import { managerOf } from "../support/managers.ts";
import { providerAt } from "../support/providers.ts";
import { answer, startServer } from "../support/server.ts";
import { statuses, type OpenClient } from "./open-client.ts";

const stop = new Error("changed my mind");

/** Bodies in both directions, and aborting. */
export const streamingContract = (name: string, openClient: OpenClient): void => {
  describe(`${name}: aborting`, () => {
    it("ends the wait for a credential, and sends nothing", async () => {
      await using server = await startServer(statuses(200));
      const asked = Promise.withResolvers<void>();
      const one = openClient({
        provider: providerAt(server.url),
        manager: {
          current: () => {
            asked.resolve();
            return new Promise(() => {});
          },
          recoverUnauthorized: () => Promise.resolve(null),
        },
      });
      const controller = new AbortController();
      const sending = one.send(`${server.url}/x`, { signal: controller.signal });
      await asked.promise;
      controller.abort(stop);
      await expect(sending).rejects.toMatchObject(one.aborted(stop));
      expect(server.seen).toEqual([]);
    });

    it("sends nothing if the credential is loaded afterwards", async () => {
      await using server = await startServer(statuses(200));
      const asked = Promise.withResolvers<void>();
      const loaded = Promise.withResolvers<Credential>();
      const one = openClient({
        provider: providerAt(server.url),
        manager: {
          current: () => {
            asked.resolve();
            return loaded.promise;
          },
          recoverUnauthorized: () => Promise.resolve(null),
        },
      });
      const controller = new AbortController();
      const sending = one.send(`${server.url}/x`, { signal: controller.signal });
      await asked.promise;
      controller.abort(stop);
      await expect(sending).rejects.toMatchObject(one.aborted(stop));
      loaded.resolve(apiKey());
      await one.send(`${server.url}/later`);
      expect(server.seen.map(({ url }) => url)).toEqual(["/later"]);
    });

    it("ends a request, even with a reason that looks like a transport failure", async () => {
      const arrived = Promise.withResolvers<void>();
      await using server = await startServer(() => arrived.resolve());
      const options = { provider: providerAt(server.url), manager: managerOf(apiKey()) };
      const one = openClient({ ...options, maxRetries: 3, retryBaseDelayMs: 0 });
      const controller = new AbortController();
      const sending = one.send(`${server.url}/x`, { signal: controller.signal });
      await arrived.promise;
      const reset = Object.assign(new Error("hung up"), { code: "ECONNRESET" });
      controller.abort(reset);
      await expect(sending).rejects.toMatchObject(one.aborted(reset));
      expect(server.seen).toHaveLength(1);
    });

    it("ends a request that is running", async () => {
      const arrived = Promise.withResolvers<void>();
      await using server = await startServer(() => arrived.resolve());
      const one = openClient({
        provider: providerAt(server.url),
        manager: managerOf(apiKey()),
        maxRetries: 3,
      });
      const controller = new AbortController();
      const sending = one.send(`${server.url}/x`, { signal: controller.signal });
      await arrived.promise;
      controller.abort(stop);
      await expect(sending).rejects.toMatchObject(one.aborted(stop));
      expect(server.seen).toHaveLength(1);
    });

    it("ends the wait before a retry", async () => {
      const arrived = Promise.withResolvers<void>();
      await using server = await startServer((_request, response) => {
        answer(response, 503);
        response.on("close", () => arrived.resolve());
      });
      const one = openClient({
        provider: providerAt(server.url),
        manager: managerOf(apiKey()),
        maxRetries: 3,
        retryBaseDelayMs: 50_000,
      });
      const controller = new AbortController();
      const sending = one.send(`${server.url}/x`, { signal: controller.signal });
      await arrived.promise;
      controller.abort(stop);
      await expect(sending).rejects.toMatchObject(one.aborted(stop));
      expect(server.seen).toHaveLength(1);
    });

    it.each(["GET", "HEAD"] as const)("ends the wait for a recovery of a %s", async (method) => {
      await using server = await startServer(statuses(401));
      const asked = Promise.withResolvers<void>();
      const manager = {
        ...managerOf(bearer("old")),
        recoverUnauthorized: () => {
          asked.resolve();
          return new Promise<null>(() => {});
        },
      };
      const one = openClient({ provider: providerAt(server.url), manager });
      const controller = new AbortController();
      const sending = one.send(`${server.url}/x`, { method, signal: controller.signal });
      await asked.promise;
      await new Promise((resolve) => setImmediate(resolve)); // The 401 of a HEAD is all here by now.
      controller.abort(stop);
      await expect(sending).rejects.toMatchObject(one.aborted(stop));
    });
  });

  describe(`${name}: streaming`, () => {
    it("passes on each part of a response as it arrives", async () => {
      const proceed = Promise.withResolvers<void>();
      await using server = await startServer(async (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write("data: one\n\n");
        await proceed.promise;
        response.end("data: two\n\n");
      });
      const one = openClient({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
      const seen: Array<string> = [];
      for await (const part of got.chunks) {
        seen.push(Buffer.from(part).toString());
        proceed.resolve();
      }
      expect(seen).toEqual(["data: one\n\n", "data: two\n\n"]);
    });

    it("sends each part of a body as it is produced", async () => {
      const spy = vi.fn<() => void>();
      await using server = await startServer((request, response) =>
        answer(response, 200, request.body),
      );
      const one = openClient({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      async function* body() {
        yield new TextEncoder().encode("one ");
        spy();
        yield new TextEncoder().encode("two");
      }
      const got = await one.send(`${server.url}/x`, { method: "POST", body: body() });
      expect([await textOf(got), spy.mock.calls.length]).toEqual(["one two", 1]);
      expect(server.seen[0]?.headers).toMatchObject({ "transfer-encoding": "chunked" });
    });
  });
};
