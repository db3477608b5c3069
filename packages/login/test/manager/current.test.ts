import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import {
  accessTokenOf,
  chatgptDocument,
  later,
  openAuthority,
  openHome,
  openSignIn,
  withManager,
  type ManagerSetup,
} from "./fixture.ts";

const current = (setup: ManagerSetup) =>
  withManager(setup, (manager) => Effect.map(manager.current, Option.getOrNull));

describe("AuthManager.current of a ChatGPT sign-in", () => {
  it("refreshes an expired access token and stores the new pair", async () => {
    const { home, authority, document } = await openSignIn({ expiresInSeconds: -10 });
    const credential = await current({ home, authority });
    const stored = await home.read();
    expect(accessTokenOf(credential)).toBe(stored.tokens?.access_token);
    expect(stored.tokens?.access_token).not.toBe(document.tokens.access_token);
    expect(stored.tokens?.refresh_token).not.toBe(document.tokens.refresh_token);
    expect(stored.tokens?.account_id).toBe(authority.account.accountId);
    const [request] = authority.requestsTo("refresh");
    expect(JSON.parse(request?.body ?? "")).toEqual({
      client_id: "app_EMoamEEZ73f0CkXaXp7hrann",
      grant_type: "refresh_token",
      refresh_reason: "proactive_expiry",
      refresh_token: document.tokens.refresh_token,
    });
  });

  it.each([
    [10 * 60 + 30, 0],
    [10 * 60 - 30, 1],
  ])("with %i s to go, refreshes %i times", async (expiresInSeconds, times) => {
    const { home, authority } = await openSignIn({ expiresInSeconds });
    await current({ home, authority });
    expect(authority.count("refresh")).toBe(times);
  });

  it.each([
    [7.9, 0],
    [8.1, 1],
  ])("without exp, %d days after the last refresh, refreshes %i times", async (days, times) => {
    const { home, authority, document } = await openSignIn({
      accessTokenClaims: { exp: undefined },
    });
    const last_refresh = new Date(Date.now() - days * 86_400_000).toISOString();
    await home.write({ ...document, last_refresh });
    await current({ home, authority });
    expect(authority.count("refresh")).toBe(times);
    const reasons = authority.requestsTo("refresh").map(({ body }) => body.includes('"scheduled"'));
    expect(reasons).toEqual(Array.from({ length: times }, () => true));
  });

  it("serves a token that is still good while the authority is down", async () => {
    const { home, authority, document } = await openSignIn({ expiresInSeconds: 200 });
    authority.behave("refresh", { status: 503 });
    const twice = await withManager({ home, authority }, (manager) =>
      Effect.all([manager.current, manager.current]),
    );
    expect(twice.map((one) => accessTokenOf(Option.getOrNull(one)))).toEqual([
      document.tokens.access_token,
      document.tokens.access_token,
    ]);
    expect(authority.count("refresh")).toBe(3);
  });

  it("delays requests by two seconds at most if the authority hangs while the token is good", async () => {
    const { home, authority, document } = await openSignIn({ expiresInSeconds: 200 });
    const next = await authority.mintChatgptTokens();
    const asked = Promise.withResolvers<void>();
    authority.behave("refresh", {
      respond: async () => {
        await asked.promise;
        return {
          status: 200,
          body: JSON.stringify({ access_token: next.accessToken }),
          headers: {},
        };
      },
    });
    const options = { loadAtStart: false };
    const [first, second] = await withManager({ home, authority, options }, (manager) =>
      Effect.gen(function* () {
        const first = yield* manager.current;
        // One after the other: with a wait for each, this would take minutes.
        for (let call = 0; call < 100; call++) expect(yield* manager.current).toEqual(first);
        asked.resolve();
        return [first, yield* manager.refresh("scheduled")] as const;
      }),
    );
    expect(accessTokenOf(Option.getOrNull(first))).toBe(document.tokens.access_token);
    expect(accessTokenOf(second)).toBe(next.accessToken);
    expect(authority.count("refresh")).toBe(1);
  });

  it("does not refresh at every call if the clock here is ahead of the authority's by hours", async () => {
    const home = await openHome();
    const authority = await openAuthority({ now: () => Date.now() - 7_200_000 });
    await home.write(await chatgptDocument(authority));
    const thrice = await withManager({ home, authority }, (manager) =>
      Effect.all([manager.current, manager.current, manager.current]),
    );
    const [first] = thrice.map((one) => accessTokenOf(Option.getOrNull(one)));
    expect(first).toBe((await home.read()).tokens?.access_token);
    expect(new Set(thrice).size).toBe(1);
    expect(authority.count("refresh")).toBe(1);
  });

  it("fails after three attempts if the token has expired, and tries again after ten seconds", async () => {
    const { home, authority } = await openSignIn({ expiresInSeconds: -10 });
    authority.behave("refresh", { status: 503 }, { times: 3 });
    const { first, requests, second, third } = await withManager(
      { home, authority, options: { loadAtStart: false } },
      (manager) =>
        Effect.gen(function* () {
          const first = yield* Effect.flip(manager.current);
          const second = yield* Effect.flip(manager.current);
          const requests = authority.count("refresh");
          return { first, second, requests, third: yield* later(10_100, manager.current) };
        }),
    );
    expect(first).toMatchObject({
      code: "LOGIN_REFRESH_FAILED",
      status: 503,
      message:
        "access token could not be refreshed after 3 attempts: the authority responded with status 503",
    });
    expect(second).toBe(first);
    expect(requests).toBe(3);
    expect(Option.isSome(third)).toBe(true);
  });

  it.each<[string, number, number]>([
    ["400 s are refreshed again after 70 s", 400, 70],
    ["600 s are refreshed again after 270 s", 600, 270],
    ["900 s are refreshed again after 450 s", 900, 450],
    ["200 s, which Codex would refresh at once, are refreshed again after 100 s", 200, 100],
  ])(
    "tokens that live for %s, in all processes",
    async (_, accessTokenSeconds, dueAfterSeconds) => {
      const { home, authority } = await openSignIn({ expiresInSeconds: -10 });
      authority.configure({ accessTokenSeconds });
      const options = { loadAtStart: false };
      const requests = (at: ReadonlyArray<number>) =>
        withManager({ home, authority, options }, (manager) =>
          Effect.forEach(at, (seconds) =>
            Effect.as(later(seconds * 1_000, manager.current), seconds).pipe(
              Effect.map(() => authority.count("refresh")),
            ),
          ),
        );
      expect(await requests([0, dueAfterSeconds - 10])).toEqual([1, 1]);
      expect(await requests([dueAfterSeconds - 10, dueAfterSeconds + 10])).toEqual([1, 2]);
    },
  );

  it("shares one refresh among 500 callers", async () => {
    const { home, authority } = await openSignIn({ expiresInSeconds: -10 });
    const seen = await withManager(
      { home, authority, options: { loadAtStart: false } },
      (manager) =>
        Effect.all(
          Array.from({ length: 500 }, () => manager.current),
          { concurrency: "unbounded" },
        ),
    );
    expect(new Set(seen.map((one) => accessTokenOf(Option.getOrNull(one)))).size).toBe(1);
    expect(authority.count("refresh")).toBe(1);
  });
});
