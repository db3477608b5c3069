import { describe, expect, it } from "vitest";
import { apiKey } from "../support/credentials.ts";
import { textOf } from "../support/faces.ts";
import { managerOf } from "../support/managers.ts";
import { providerAt } from "../support/providers.ts";
import { answer, startServer } from "../support/server.ts";
import { statuses, parts, type OpenFace } from "./open-face.ts";

/** When an attempt is repeated, and after how long. */
export const retriesContract = (name: string, face: OpenFace): void => {
  describe(`${name}: retries`, () => {
    it("are as many as configured, on 5xx and 429", async () => {
      await using server = await startServer(statuses(500, 429, 502, 200));
      const provider = providerAt(server.url, { requestMaxRetries: 3 });
      const one = face({ provider, manager: managerOf(apiKey()), retryBaseDelayMs: 0 });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
      expect([got.status, server.seen.map((request) => request.body)]).toEqual([
        200,
        ["p", "p", "p", "p"],
      ]);
    });

    it("are none where none are configured, none of other statuses, none of a stream", async () => {
      await using server = await startServer(statuses(503, 404, 503));
      const without = face({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      expect((await without.send(`${server.url}/x`)).status).toBe(503);
      const one = face({
        provider: providerAt(server.url),
        manager: managerOf(apiKey()),
        maxRetries: 3,
      });
      expect((await one.send(`${server.url}/x`)).status).toBe(404);
      const streamed = await one.send(`${server.url}/x`, { method: "POST", body: parts("p") });
      expect([streamed.status, server.seen.length]).toEqual([503, 3]);
    });

    it("end with the last answer", async () => {
      await using server = await startServer(statuses(503));
      const provider = providerAt(server.url);
      const one = face({
        provider,
        manager: managerOf(apiKey()),
        maxRetries: 2,
        retryBaseDelayMs: 0,
      });
      const got = await one.send(`${server.url}/x`);
      expect([got.status, await textOf(got)]).toEqual([503, "answer 3"]);
    });

    it("wait as Retry-After says, but not longer than the caller allows", async () => {
      await using server = await startServer((_request, response, count) =>
        answer(response, count === 2 ? 200 : 503, "", { "retry-after": count === 1 ? "0" : "61" }),
      );
      const provider = providerAt(server.url);
      const one = face({
        provider,
        manager: managerOf(apiKey()),
        maxRetries: 3,
        retryBaseDelayMs: 60_000,
      });
      expect((await one.send(`${server.url}/x`)).status).toBe(200);
      expect((await one.send(`${server.url}/x`)).status).toBe(503);
      expect(server.seen).toHaveLength(3);
    });

    it("follow a connection that broke", async () => {
      await using server = await startServer((_request, response, count) => {
        if (count === 1) response.destroy();
        else answer(response, 200);
      });
      const provider = providerAt(server.url);
      const one = face({
        provider,
        manager: managerOf(apiKey()),
        maxRetries: 1,
        retryBaseDelayMs: 0,
      });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
      expect([got.status, server.seen.length]).toEqual([200, 2]);
    });

    it("leave a broken connection's error to the caller where none are configured", async () => {
      await using server = await startServer((_request, response) => {
        response.destroy();
      });
      const one = face({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      await expect(one.send(`${server.url}/x`)).rejects.toBeInstanceOf(Error);
      expect(server.seen).toHaveLength(1);
    });
  });
};
