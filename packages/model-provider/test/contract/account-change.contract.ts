import type { Credential } from "@agent-auth/login/credential";
import { describe, expect, it } from "vitest";
import { apiKey, chatgpt, personalAccessToken } from "../support/credentials.ts";
import { textOf } from "../support/clients.ts";
import { managerOf, switching } from "../support/managers.ts";
import { providerAt } from "../support/providers.ts";
import { answer, startServer } from "../support/server.ts";
import { rejection, statuses, whoSaidWhat, type OpenClient } from "./open-client.ts";

/** Every attempt is for the account of the first. */
export const accountChangeContract = (name: string, openClient: OpenClient): void => {
  describe(`${name}: if another account signs in between two attempts`, () => {
    const post = { method: "POST", body: "of the first" } as const;
    const others: ReadonlyArray<readonly [string, Credential, Credential]> = [
      ["another account", chatgpt("a", { accountId: "1" }), chatgpt("b", { accountId: "2" })],
      ["another person", chatgpt("a", { userId: "1" }), chatgpt("b", { userId: "2" })],
      ["another kind", chatgpt("a"), personalAccessToken("b")],
      ["another API key", apiKey("a"), apiKey("b")],
    ];

    it.each(others)("there is no retry: %s", async (_which, before, after) => {
      const { manager, change } = switching(before, after);
      await using server = await startServer((_request, response, count) => {
        change();
        answer(response, 503, `answer ${count}`);
      });
      const provider = providerAt(server.url, { requestMaxRetries: 2 });
      const one = openClient({ provider, manager, retryBaseDelayMs: 0 });
      const got = await one.send(`${server.url}/x`, post);
      expect([got.status, await textOf(got)]).toEqual([503, "answer 1"]);
      expect(whoSaidWhat(server)).toEqual([["Bearer a", "of the first"]]);
    });

    it.each(others)(
      "there is no retry, also if that is known only after the wait: %s",
      async (_which, before, after) => {
        const { manager, change } = switching(before, after);
        await using server = await startServer((_request, response) => {
          change();
          answer(response, 503);
        });
        const { snapshot: _none, ...slow } = manager;
        const provider = providerAt(server.url, { requestMaxRetries: 2 });
        const one = openClient({ provider, manager: slow, retryBaseDelayMs: 0 });
        expect(await rejection(one, one.send(`${server.url}/x`, post))).toMatchObject({
          code: "PROVIDER_ACCOUNT_CHANGED",
          status: 503,
        });
        expect(whoSaidWhat(server)).toEqual([["Bearer a", "of the first"]]);
      },
    );

    it("there is no retry after a broken connection", async () => {
      const { manager, change } = switching(apiKey("a"), apiKey("b"));
      await using server = await startServer((_request, response) => {
        change();
        response.destroy();
      });
      const provider = providerAt(server.url, { requestMaxRetries: 2 });
      const one = openClient({ provider, manager, retryBaseDelayMs: 0 });
      const error = await rejection(one, one.send(`${server.url}/x`, post));
      expect(error).toMatchObject({ code: "PROVIDER_ACCOUNT_CHANGED" });
      expect(error).not.toHaveProperty("status");
      expect(whoSaidWhat(server)).toEqual([["Bearer a", "of the first"]]);
    });

    it("the error has no status of an earlier response", async () => {
      const { manager, change } = switching(apiKey("a"), apiKey("b"));
      await using server = await startServer((_request, response, count) => {
        if (count === 1) return answer(response, 503);
        change();
        response.destroy();
      });
      const provider = providerAt(server.url, { requestMaxRetries: 2 });
      const one = openClient({ provider, manager, retryBaseDelayMs: 0 });
      const error = await rejection(one, one.send(`${server.url}/x`, post));
      expect(error).toMatchObject({ code: "PROVIDER_ACCOUNT_CHANGED" });
      expect(error).not.toHaveProperty("status");
      expect(server.seen).toHaveLength(2);
    });

    it.each(others)("there is no second attempt after a 401: %s", async (_which, before, after) => {
      const { manager } = switching(before, after);
      await using server = await startServer(statuses(401, 200));
      const one = openClient({ provider: providerAt(server.url), manager });
      const got = await one.send(`${server.url}/x`, post);
      expect([got.status, await textOf(got)]).toEqual([401, "answer 1"]);
      expect(whoSaidWhat(server)).toEqual([["Bearer a", "of the first"]]);
    });

    it("there is no third attempt after a second 401, even if the account in between states less", async () => {
      const [one, unnamed, other] = [
        chatgpt("a", { accountId: "1", userId: "1" }),
        chatgpt("b", { accountId: "1" }),
        chatgpt("c", { accountId: "1", userId: "2" }),
      ];
      await using server = await startServer(statuses(401));
      const manager = managerOf(one, unnamed, other);
      const got = await openClient({ provider: providerAt(server.url), manager }).send(
        `${server.url}/x`,
        post,
      );
      expect([got.status, await textOf(got)]).toEqual([401, "answer 2"]);
      expect(whoSaidWhat(server)).toEqual([
        ["Bearer a", "of the first"],
        ["Bearer b", "of the first"],
      ]);
    });

    it("a new token of the same account is used", async () => {
      const { manager, change } = switching(chatgpt("a", { userId: "1" }), chatgpt("b"));
      await using server = await startServer((_request, response, count) => {
        change();
        answer(response, count === 1 ? 503 : 200);
      });
      const provider = providerAt(server.url, { requestMaxRetries: 2 });
      const one = openClient({ provider, manager, retryBaseDelayMs: 0 });
      expect((await one.send(`${server.url}/x`, post)).status).toBe(200);
      expect(whoSaidWhat(server)).toEqual([
        ["Bearer a", "of the first"],
        ["Bearer b", "of the first"],
      ]);
    });
  });
};
