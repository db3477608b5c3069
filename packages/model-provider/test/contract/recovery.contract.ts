import { proofSize } from "@agent-auth/tools/proof";
import { inspect } from "node:util";
import { SignInRequired } from "../../src/errors/index.ts";
import { warningContext } from "@agent-auth/agent-identity/promises/caller-context";
import { describe, expect, it } from "vitest";
import { apiKey, bearer, chatgpt } from "../support/credentials.ts";
import { textOf } from "../support/clients.ts";
import { managerOf } from "../support/managers.ts";
import { providerAt } from "../support/providers.ts";
import { answer, startServer } from "../support/server.ts";
import { statuses, authorizations, parts, type OpenClient } from "./open-client.ts";

const storm = proofSize({ test: 300, proof: 2_000 });

/** What happens after a 401. */
export const recoveryContract = (name: string, openClient: OpenClient): void => {
  describe(`${name}: a 401`, () => {
    it.each([
      ["text", "prompt"],
      ["bytes", new TextEncoder().encode("prompt")],
    ])(
      "leads to a second attempt with another credential, and a body of %s is sent again",
      async (_kind, body) => {
        await using server = await startServer(statuses(401, 200));
        const manager = managerOf(bearer("old"), bearer("new"));
        const one = openClient({ provider: providerAt(server.url), manager });
        const got = await one.send(`${server.url}/x`, { method: "POST", body });
        expect([got.status, await textOf(got)]).toEqual([200, "answer 2"]);
        expect(authorizations(server)).toEqual(["Bearer old", "Bearer new"]);
        expect(server.seen.map((request) => request.body)).toEqual(["prompt", "prompt"]);
      },
    );

    it("leads to at most two more attempts, then the caller gets it", async () => {
      await using server = await startServer(statuses(401));
      const manager = managerOf(bearer("a"), bearer("b"), bearer("c"), bearer("d"));
      const one = openClient({ provider: providerAt(server.url), manager });
      const got = await one.send(`${server.url}/x`);
      expect([got.status, await textOf(got)]).toEqual([401, "answer 3"]);
      expect(authorizations(server)).toEqual(["Bearer a", "Bearer b", "Bearer c"]);
    });

    it.each([
      ["never ends", 1],
      ["stops coming", Number.POSITIVE_INFINITY],
    ])("is cancelled when another attempt follows and its body %s", async (_how, everyMs) => {
      const letGo = Promise.withResolvers<void>();
      let pieces = 0;
      await using server = await startServer((_request, response, count) => {
        if (count > 1) return answer(response, 200);
        response.writeHead(401).write("x");
        const write = (): void => {
          pieces++;
          response.write("x".repeat(30_000));
        };
        const timer = Number.isFinite(everyMs) ? setInterval(write, everyMs) : undefined;
        response.on("close", () => {
          clearInterval(timer);
          letGo.resolve();
        });
      });
      const manager = managerOf(bearer("old"), bearer("new"));
      const one = openClient({ provider: providerAt(server.url), manager });
      expect((await one.send(`${server.url}/x`)).status).toBe(200);
      await letGo.promise;
      expect(pieces).toBeLessThan(500); // Those of a second would be twice as many.
    });

    it("is the caller's if there is no other credential", async () => {
      await using server = await startServer(statuses(401));
      const one = openClient({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
      expect([got.status, await textOf(got), server.seen.length]).toEqual([401, "answer 1", 1]);
    });

    it("is the caller's in full, however long its body", async () => {
      const long = "x".repeat(300_000);
      await using server = await startServer((_request, response) => answer(response, 401, long));
      const one = openClient({ provider: providerAt(server.url), manager: managerOf(apiKey()) });
      expect(await textOf(await one.send(`${server.url}/x`))).toBe(long);
    });

    it("is the caller's if the recovery fails, and onRecoveryFailed gets the reason", async () => {
      await using server = await startServer(statuses(401));
      const told: Array<string> = [];
      const manager = {
        ...managerOf(chatgpt()),
        recoverUnauthorized: () => Promise.reject(new SignInRequired({ providerId: "x" })),
      };
      const one = openClient({
        provider: providerAt(server.url),
        manager,
        onRecoveryFailed: (error) => told.push(error.code),
      });
      const got = await one.send(`${server.url}/x`);
      expect([got.status, await textOf(got), told]).toEqual([
        401,
        "answer 1",
        ["PROVIDER_SIGN_IN_REQUIRED"],
      ]);
    });

    it("logs a warning in the caller's context if the recovery fails", async () => {
      await using server = await startServer(statuses(401));
      const manager = {
        ...managerOf(chatgpt()),
        recoverUnauthorized: () => Promise.reject(new SignInRequired({ providerId: "x" })),
      };
      const warnings: Array<string> = [];
      const context = warningContext((message) => warnings.push(message));
      const one = openClient({ provider: providerAt(server.url), manager, context });
      expect((await one.send(`${server.url}/x`)).status).toBe(401);
      expect(warnings).toEqual([
        'the credential could not be recovered after a 401: model provider "x" needs a sign-in, but no account is signed in (PROVIDER_SIGN_IN_REQUIRED). Sign in.',
      ]);
    });

    it("fails the request if onRecoveryFailed throws", async () => {
      await using server = await startServer(statuses(401));
      const manager = {
        ...managerOf(chatgpt()),
        recoverUnauthorized: () => Promise.reject(new SignInRequired({ providerId: "x" })),
      };
      const one = openClient({
        provider: providerAt(server.url),
        manager,
        onRecoveryFailed: () => {
          throw new RangeError("told");
        },
      });
      const error: unknown = await one.send(`${server.url}/x`).catch((thrown: unknown) => thrown);
      expect(inspect(error)).toContain("RangeError: told");
    });

    it("does not repeat a stream, but recovers the credential for the next request", async () => {
      await using server = await startServer(statuses(401, 200));
      const manager = managerOf(bearer("old"), bearer("new"));
      const one = openClient({ provider: providerAt(server.url), manager });
      const got = await one.send(`${server.url}/x`, { method: "POST", body: parts("pro", "mpt") });
      expect([got.status, await textOf(got)]).toEqual([401, "answer 1"]);
      expect((await one.send(`${server.url}/x`)).status).toBe(200);
      expect(authorizations(server)).toEqual(["Bearer old", "Bearer new"]);
      expect(server.seen[0]?.body).toBe("prompt");
    });

    it(`of ${storm} concurrent requests leads to one recovery`, { timeout: 180_000 }, async () => {
      await using server = await startServer((request, response) =>
        answer(response, request.headers.authorization === "Bearer new" ? 200 : 401),
      );
      const manager = managerOf(bearer("old"), bearer("new"), bearer("newer"));
      const one = openClient({ provider: providerAt(server.url), manager });
      const all = await Promise.all(
        Array.from({ length: storm }, async () => {
          const got = await one.send(`${server.url}/x`, { method: "POST", body: "p" });
          await textOf(got);
          return got.status;
        }),
      );
      expect(new Set(all)).toEqual(new Set([200]));
      expect(manager.recoveries()).toBe(1);
    });
  });
};
