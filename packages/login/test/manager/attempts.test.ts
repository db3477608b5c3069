import type { Behaviour, TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import type { Credential } from "../../src/credential/index.ts";
import type { ExternalAuthProvider } from "../../src/manager/index.ts";
import {
  accessTokenOf,
  chatgptDocument,
  later,
  openAuthority,
  openHome,
  openSignIn,
  secret,
  withManager,
  type Home,
  type Manager,
  type ManagerSetup,
} from "./fixture.ts";

const expired = { expiresInSeconds: -10 };
const currentOf = (manager: Manager) => Effect.map(manager.current, Option.getOrThrow);

describe("one operation that finds the token due", () => {
  it.each<[string, Behaviour, number]>([
    ["a 503", { status: 503 }, 3],
    ["a 400", { status: 400 }, 1],
    ["a 401", { status: 401 }, 1],
    ["a 429 that asks for a minute", { status: 429, headers: { "retry-after": "60" } }, 1],
    ["a 200 without tokens", { status: 200, body: {} }, 1],
    ["a 200 that is not JSON", "html", 1],
    ["a 200 that breaks off", "cut", 1],
    ["a connection that is reset", "reset", 3],
  ])(
    "sends one attempt series after %s, whether it loads at the start, asks again, or refreshes",
    async (_, behaviour, requests) => {
      const { home, authority } = await openSignIn(expired);
      authority.behave("refresh", behaviour);
      const codes = await withManager({ home, authority }, (manager) =>
        Effect.gen(function* () {
          const first = yield* Effect.flip(manager.current);
          const second = yield* Effect.flip(manager.current);
          return [first.code, second === first];
        }),
      );
      expect(codes).toEqual([expect.stringMatching(/^LOGIN_REFRESH_/u), true]);
      expect(authority.count("refresh")).toBe(requests);
    },
  );

  it("is the load at the start and the refresh that a caller demands right after it", async () => {
    const { home, authority } = await openSignIn(expired);
    authority.behave("refresh", { status: 503 });
    await withManager({ home, authority }, (manager) => Effect.flip(manager.refresh("forced")));
    expect(authority.count("refresh")).toBe(3);
  });

  it("is the load at the start and the recovery of the request that was sent with the old token", async () => {
    const { home, authority } = await openSignIn({ expiresInSeconds: 200 });
    authority.behave("refresh", { status: 503 });
    const error = await withManager({ home, authority }, (manager) =>
      Effect.flatMap(currentOf(manager), (old) => Effect.flip(manager.recoverUnauthorized(old))),
    );
    expect(error).toMatchObject({ code: "LOGIN_REFRESH_FAILED", status: 503, attempts: 3 });
    expect(authority.count("refresh")).toBe(3);
  });

  it("never sends a token again that a 200 has spent, not even on demand", async () => {
    const { home, authority } = await openSignIn(expired);
    authority.behave("refresh", { status: 200, body: { id_token: "x.y.z" } });
    await withManager({ home, authority }, (manager) =>
      Effect.gen(function* () {
        yield* Effect.flip(manager.refresh("forced"));
        yield* Effect.flip(manager.refresh("forced"));
        yield* later(3_600_000, Effect.flip(manager.current));
      }),
    );
    expect(authority.count("refresh")).toBe(1);
  });
});

const together = (
  setup: ManagerSetup,
  use: (manager: Manager) => Effect.Effect<unknown, unknown>,
) => Promise.all(Array.from({ length: 8 }, () => withManager(setup, use)));

describe("managers that wait for the refresh of another", () => {
  it("share its failure", async () => {
    const { home, authority } = await openSignIn(expired);
    authority.behave("refresh", { status: 503, delayMs: 300 });
    const setup = { home, authority, options: { loadAtStart: false } };
    const errors = await together(setup, (manager) => Effect.flip(manager.current));
    expect(errors).toEqual(
      errors.map(() => expect.objectContaining({ code: "LOGIN_REFRESH_FAILED", attempts: 3 })),
    );
    expect(authority.count("refresh")).toBe(3);
  });

  it("share its rejection", async () => {
    const { home, authority } = await openSignIn(expired);
    const body = { error: "refresh_token_expired" };
    authority.behave("refresh", { status: 401, body, delayMs: 1_000 });
    const setup = { home, authority, options: { loadAtStart: false } };
    const errors = await together(setup, (manager) => Effect.flip(manager.current));
    expect(errors).toEqual(errors.map(() => expect.objectContaining({ reason: "expired" })));
    expect(authority.count("refresh")).toBe(1);
  });

  it("share its tokens, even if those are due by a clock that is ahead", async () => {
    const home = await openHome();
    const authority = await openAuthority({ now: () => Date.now() - 7_200_000 });
    const tokens = await authority.mintChatgptTokens();
    await home.write({
      tokens: {
        id_token: tokens.idToken,
        access_token: tokens.accessToken,
        refresh_token: tokens.refreshToken,
        account_id: tokens.accountId,
      },
    });
    authority.behave("refresh", { delayMs: 1_000 });
    const setup = { home, authority, options: { loadAtStart: false } };
    const found = await together(setup, (manager) => Effect.map(currentOf(manager), accessTokenOf));
    expect(new Set(found).size).toBe(1);
    expect(authority.count("refresh")).toBe(1);
  });
});

/** How far ahead a clock has to be for the program that runs these tests not to count as one that has just started. */
const settled = 300_000;

/** Asks for the credential in its own manager, as a program does that starts at that time. */
const failAt = (setup: ManagerSetup, atMs: number) =>
  withManager({ ...setup, options: { loadAtStart: false } }, (manager) =>
    later(atMs, Effect.flip(manager.current)),
  );

/** How far ahead a clock has to be to show this time after the start of this program. */
const sinceStart = (ms: number) => performance.timeOrigin + ms - Date.now();

describe("a program that starts after an attempt series has failed", () => {
  it.each<[string, Behaviour, number, string]>([
    ["a 503", { status: 503 }, 3, "Try again after "],
    ["a 400", { status: 400 }, 1, "Try again after "],
    ["a connection that is reset", "reset", 3, "Check the network, then try again."],
    ["a 200 that is not JSON", "html", 1, "Try again after "],
  ])(
    "sends nothing for ten seconds after %s, and says when it will",
    async (_, behaviour, sent, hint) => {
      const setup = await openSignIn(expired);
      setup.authority.behave("refresh", behaviour);
      const first = await failAt(setup, settled);
      const second = await failAt(setup, settled + 5_000);
      expect(setup.authority.count("refresh")).toBe(sent);
      if (first._tag !== "RefreshFailed" || second._tag !== "RefreshFailed") throw first;
      const when = new Date(first.retryAtMs ?? 0).toISOString();
      expect(first.hint).toContain(hint);
      expect(second).toMatchObject({ reason: first.reason, attempts: sent, hint: first.hint });
      expect(second.message).toContain(`the next attempt is not made before ${when})`);
      expect(second.message).toContain(first.message);
      await failAt(setup, settled + 12_000);
      expect(setup.authority.count("refresh")).toBe(2 * sent);
    },
  );

  it("waits twice as long after each further failure, and a minute at most", async () => {
    const setup = await openSignIn(expired);
    setup.authority.behave("refresh", { status: 400 });
    let atMs = settled;
    const pauses: Array<number> = [];
    for (let series = 1; series <= 5; series++) {
      const before = Date.now() + atMs;
      const error = await failAt(setup, atMs);
      expect(setup.authority.count("refresh")).toBe(series);
      const retryAtMs = error._tag === "RefreshFailed" ? (error.retryAtMs ?? 0) : 0;
      pauses.push(Math.floor((retryAtMs - before) / 10_000) * 10);
      atMs = retryAtMs + 1_000 - Date.now();
    }
    expect(pauses).toEqual([10, 20, 40, 60, 60]);
  });

  it("waits as long as Retry-After says, five minutes at most", async () => {
    const setup = await openSignIn(expired);
    setup.authority.behave("refresh", { status: 429, headers: { "retry-after": "900" } });
    await failAt(setup, settled);
    await failAt(setup, settled + 290_000);
    expect(setup.authority.count("refresh")).toBe(1);
    await failAt(setup, settled + 310_000);
    expect(setup.authority.count("refresh")).toBe(2);
  });

  it("is not sent away with the failure of another refresh token", async () => {
    const setup = await openSignIn(expired);
    setup.authority.behave("refresh", { status: 503 });
    await failAt(setup, settled);
    await setup.home.write(await chatgptDocument(setup.authority, expired));
    await failAt(setup, settled);
    expect(setup.authority.count("refresh")).toBe(6);
  });

  it("does not send a rejected token for ten seconds", async () => {
    const setup = await openSignIn(expired);
    setup.authority.behave("refresh", { status: 401, body: { error: "refresh_token_expired" } });
    for (const atMs of [settled, settled + 5_000])
      expect(await failAt(setup, atMs)).toMatchObject({ reason: "expired" });
    expect(setup.authority.count("refresh")).toBe(1);
  });

  it("sends it at once if a refresh is demanded", async () => {
    const setup = await openSignIn(expired);
    setup.authority.behave("refresh", { status: 503 }, { times: 3 });
    await failAt(setup, settled);
    const options = { loadAtStart: false };
    const refreshed = await withManager({ ...setup, options }, (manager) =>
      later(settled, manager.refresh("forced")),
    );
    expect(refreshed._tag).toBe("Chatgpt");
  });

  it("shares the failure if it was started before and took long to start", async () => {
    const setup = await openSignIn({ expiresInSeconds: -3_600 });
    setup.authority.behave("refresh", { status: 503 });
    await failAt(setup, sinceStart(1_000));
    await withManager({ ...setup, options: { loadAtStart: false } }, (manager) =>
      Effect.gen(function* () {
        yield* later(sinceStart(45_000), Effect.flip(manager.current));
        yield* later(sinceStart(45_000), Effect.flip(manager.current));
      }),
    );
    expect(setup.authority.count("refresh")).toBe(3);
    await failAt(setup, sinceStart(310_000));
    expect(setup.authority.count("refresh")).toBe(6);
  });
});

const openHanging = async () => {
  const { home, authority, document } = await openSignIn(expired);
  const release = Promise.withResolvers<void>();
  const fresh = await authority.mintChatgptTokens();
  authority.behave(
    "refresh",
    {
      respond: async () => {
        await release.promise;
        const body = { access_token: fresh.accessToken, refresh_token: fresh.refreshToken };
        return { status: 200, body: JSON.stringify(body), headers: {} };
      },
    },
    { times: 1 },
  );
  const refreshing = withManager({ home, authority, options: { loadAtStart: false } }, (manager) =>
    Effect.result(manager.current),
  );
  await authority.waitForRequest("refresh");
  return { home, authority, document, fresh, refreshing, release: () => release.resolve() };
};
const revokedTokens = (authority: TestAuthority) =>
  authority.requestsTo("revoke").map(({ body }) => JSON.parse(body).token);

describe("while a refresh waits for an authority that does not respond", () => {
  it("another login is stored at once, stays, and the late tokens are revoked", async () => {
    const { home, authority, fresh, refreshing, release } = await openHanging();
    const options = { loadAtStart: false };
    await withManager({ home, authority, options }, (it) => it.loginWithApiKey(secret("sk-new")));
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-new");
    release();
    expect(await refreshing).toMatchObject({ failure: { code: "LOGIN_REFRESH_ACCOUNT_CHANGED" } });
    expect((await home.read()).OPENAI_API_KEY).toBe("sk-new");
    expect(revokedTokens(authority)).toContain(fresh.refreshToken);
  });

  it("a logout removes the sign-in at once, and the late tokens are revoked, not stored", async () => {
    const { home, authority, fresh, refreshing, release } = await openHanging();
    const options = { loadAtStart: false };
    await withManager({ home, authority, options }, (it) => it.logout);
    expect(home.isSignedIn()).toBe(false);
    release();
    expect(await refreshing).toMatchObject({ failure: { code: "LOGIN_REFRESH_ACCOUNT_CHANGED" } });
    expect(home.isSignedIn()).toBe(false);
    expect(revokedTokens(authority)).toContain(fresh.refreshToken);
  });

  it("tokens that another program stored for the same sign-in stay, and nothing is revoked", async () => {
    const { home, authority, document, refreshing, release } = await openHanging();
    const theirs = await authority.mintChatgptTokens();
    const tokens = { ...document.tokens, access_token: theirs.accessToken };
    await home.write({ ...document, tokens });
    release();
    const found = await refreshing;
    const credential = found._tag === "Success" ? Option.getOrNull(found.success) : null;
    expect(accessTokenOf(credential)).toBe(theirs.accessToken);
    expect((await home.read()).tokens?.access_token).toBe(theirs.accessToken);
    expect(authority.count("revoke")).toBe(0);
  });
});

/** Requests that are each repeated for as long as there is another credential, twice at most. */
const send = (manager: Manager, requests: number) =>
  Effect.gen(function* () {
    const codes = new Set<string>();
    for (let request = 0; request < requests; request++) {
      let credential: Credential = yield* currentOf(manager);
      for (let recovery = 0; recovery < 2; recovery++) {
        const next = yield* Effect.result(manager.recoverUnauthorized(credential));
        if (next._tag === "Failure") codes.add(next.failure.code);
        if (next._tag === "Failure" || Option.isNone(next.success)) break;
        credential = next.success.value;
      }
    }
    return [...codes];
  });
const newRejected = ["LOGIN_NEW_CREDENTIAL_REJECTED"];

const openChatgpt = async (): Promise<{ home: Home; authority: TestAuthority }> => openSignIn();

describe("a server that rejects every credential", () => {
  it("causes one refresh for ten requests, and says why there is no second", async () => {
    const setup = await openChatgpt();
    expect(await withManager(setup, (manager) => send(manager, 10))).toEqual(newRejected);
    expect(setup.authority.count("refresh")).toBe(1);
  });

  it("causes no further refresh in other processes", async () => {
    const setup = await openChatgpt();
    for (let process = 0; process < 3; process++)
      expect(await withManager(setup, (manager) => send(manager, 2))).toEqual(newRejected);
    expect(setup.authority.count("refresh")).toBe(1);
  });

  it("causes the next refresh after a minute, and the one after that after two more", async () => {
    const setup = await openChatgpt();
    const counts = await withManager(setup, (manager) =>
      Effect.forEach([0, 59_000, 61_000, 61_000 + 118_000, 61_000 + 122_000], (atMs) =>
        Effect.map(later(atMs, Effect.ignore(send(manager, 1))), () =>
          setup.authority.count("refresh"),
        ),
      ),
    );
    expect(counts).toEqual([1, 1, 2, 2, 3]);
  });

  it("causes one new agent task for ten requests", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    const codes = await withManager({ home, authority, env }, (manager) => send(manager, 10));
    expect(codes).toEqual(newRejected);
    expect(authority.count("registerTask")).toBe(2);
  });

  it("has an external provider asked once more for ten requests", async () => {
    const home = await openHome();
    let asked = 0;
    const externalProvider: ExternalAuthProvider = {
      name: "the editor",
      tokens: () =>
        Effect.sync(() => ({ accessToken: secret(`t-${++asked}`), accountId: "acct-1" })),
    };
    const setup = { home, options: { externalProvider } };
    expect(await withManager(setup, (manager) => send(manager, 10))).toEqual(newRejected);
    expect(asked).toBe(2);
  });
});
