import { rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { assert, it as effectIt } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as TestClock from "effect/testing/TestClock";
import { describe, expect, it, vi } from "vitest";
import type { Credential } from "../../src/credential/index.ts";
import { RefreshFailed } from "../../src/errors/index.ts";
import { keepFresh } from "../../src/manager/keep-fresh.ts";
import { refreshPauseMs } from "../../src/manager/known-failures.ts";
import { makeCredentialState } from "../../src/manager/state.ts";
import { createAuthManager, revealSecret } from "../../src/promises/index.ts";
import { chatgptDocument, managerOptions, openAuthority, openHome, openSignIn } from "./fixture.ts";

const secretOf = (credential: Credential | null): string | undefined => {
  if (credential?._tag === "ApiKey") return revealSecret(credential.apiKey);
  return credential?._tag === "Chatgpt" ? revealSecret(credential.accessToken) : undefined;
};

const soon = { timeout: 10_000, interval: 20 };

const start = async (home: Awaited<ReturnType<typeof openHome>>) => {
  const { config, environment } = await managerOptions({ home });
  const options = { config, environment, environmentCredentials: true, followStore: true };
  const manager = createAuthManager({ ...options, onWarning: () => {} });
  await manager.current();
  const heard: Array<string | undefined> = [];
  manager.subscribe((credential) => heard.push(secretOf(credential)));
  await new Promise(setImmediate);
  return { manager, heard };
};

describe("followStore", () => {
  it("reports another program's login, refresh and logout", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const { heard, manager } = await start(home);
    await home.write({ OPENAI_API_KEY: "sk-one" });
    await vi.waitFor(() => expect(heard).toEqual(["sk-one"]), soon);
    const signIn = await chatgptDocument(authority);
    await home.write(signIn);
    await vi.waitFor(() => expect(heard[1]).toBe(signIn.tokens.access_token), soon);
    const refreshed = await chatgptDocument(authority);
    await home.write({ ...refreshed, tokens: { ...signIn.tokens, ...refreshed.tokens } });
    await vi.waitFor(() => expect(heard[2]).toBe(refreshed.tokens.access_token), soon);
    await rm(home.authJson);
    await vi.waitFor(() => expect(heard).toHaveLength(4), soon);
    expect(heard[3]).toBeUndefined();
    await manager.close();
  });

  it("recovers from a file that was broken for a while", async () => {
    const home = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-one" });
    const { heard, manager } = await start(home);
    await home.write("{");
    await vi.waitFor(
      () => expect(manager.current()).rejects.toMatchObject({ code: "LOGIN_AUTH_JSON_INVALID" }),
      soon,
    );
    await home.write({ OPENAI_API_KEY: "sk-two" });
    await vi.waitFor(() => expect(heard).toEqual([undefined, "sk-two"]), soon);
    await manager.close();
  });

  it("follows the file that auth.json links to", async () => {
    const home = await openHome();
    const elsewhere = await openHome();
    await home.write({ OPENAI_API_KEY: "sk-one" });
    const target = join(elsewhere.path, "auth.json");
    await rename(home.authJson, target);
    await symlink(target, home.authJson);
    const { heard, manager } = await start(home);
    await elsewhere.write({ OPENAI_API_KEY: "sk-two" });
    await vi.waitFor(() => expect(heard).toEqual(["sk-two"]), soon);
    await manager.close();
  });

  it("is silent about its own login, and about a file that was rewritten with the same content", async () => {
    const home = await openHome();
    const { heard, manager } = await start(home);
    await manager.loginWithApiKey("sk-own");
    await home.write({ OPENAI_API_KEY: "sk-own" });
    await home.write({ OPENAI_API_KEY: "sk-last" });
    await vi.waitFor(() => expect(heard.at(-1)).toBe("sk-last"), soon);
    expect(heard).toEqual(["sk-own", "sk-last"]);
    await manager.close();
  });
});

const token = Redacted.make("token");
const chatgpt = (expiresAtMs: number): Credential => ({
  _tag: "Chatgpt",
  accessToken: Redacted.make(`token ${expiresAtMs}`),
  refreshToken: token,
  idToken: token,
  account: { isFedrampAccount: false },
  source: { _tag: "File", path: "/home/ada/.codex/auth.json" },
  expiresAtMs,
});
const minute = 60_000;

/** A state with a credential that expires in an hour; refreshes bring one that expires an hour later. */
const openState = Effect.gen(function* () {
  const state = yield* makeCredentialState;
  const world = { refreshes: 0, reloads: 0, isDown: false };
  state.accept(Option.some(chatgpt(60 * minute)));
  const refreshIfDue = Effect.clockWith((clock) =>
    Effect.suspend(() => {
      world.refreshes += 1;
      const nowMs = clock.currentTimeMillisUnsafe();
      const error = new RefreshFailed({ attempts: 3, reason: "down" });
      if (!world.isDown)
        return Effect.sync(() => state.accept(Option.some(chatgpt(nowMs + 60 * minute))));
      const now = state.get();
      const count = (now._tag === "Loaded" ? (now.failure?.count ?? 0) : 0) + 1;
      const retryAtMs = nowMs + refreshPauseMs(count);
      state.setFailure({ error, count, endedAtMs: nowMs, isReported: false, retryAtMs });
      return Effect.fail(error);
    }),
  );
  const reload = Effect.sync(() => {
    world.reloads += 1;
  });
  yield* Effect.forkChild(keepFresh({ state, refreshIfDue, reload }), { startImmediately: true });
  return { state, world };
});

describe("keepFresh", () => {
  effectIt.effect("refreshes ten minutes before the token expires, once", () =>
    Effect.gen(function* () {
      const { world } = yield* openState;
      yield* TestClock.adjust(49 * minute);
      assert.strictEqual(world.refreshes, 0);
      yield* TestClock.adjust(minute + 20_000);
      assert.strictEqual(world.refreshes, 1);
      yield* TestClock.adjust(45 * minute);
      assert.strictEqual(world.refreshes, 1);
    }),
  );

  effectIt.effect(
    "refreshes within seconds after the clock was set ahead, and survives one that was set back",
    () =>
      Effect.gen(function* () {
        const { world } = yield* openState;
        yield* TestClock.adjust(minute);
        yield* TestClock.setTime(55 * minute);
        yield* TestClock.adjust(20_000);
        assert.strictEqual(world.refreshes, 1);
        yield* TestClock.adjust(50 * minute);
        assert.strictEqual(world.refreshes, 2);
      }),
  );

  effectIt.effect(
    "tries again once a minute while the authority is down, and soon after it is up",
    () =>
      Effect.gen(function* () {
        const { world } = yield* openState;
        world.isDown = true;
        yield* TestClock.adjust(71 * minute);
        assert.isAtLeast(world.refreshes, 15);
        assert.isAtMost(world.refreshes, 25);
        const before = world.refreshes;
        world.isDown = false;
        yield* TestClock.adjust(80_000);
        const after = world.refreshes;
        assert.strictEqual(after, before + 1);
        yield* TestClock.adjust(20 * minute);
        assert.strictEqual(world.refreshes, after);
      }),
  );

  effectIt.effect(
    "loads again after a failure that may pass, with pauses, and not after any other",
    () =>
      Effect.gen(function* () {
        const { state, world } = yield* openState;
        state.fail(new RefreshFailed({ attempts: 3, reason: "down" }));
        yield* TestClock.adjust(minute);
        assert.isAtLeast(world.reloads, 1);
      }),
  );

  it("loads and refreshes without being asked for the credential", async () => {
    const { home, authority, document } = await openSignIn({ expiresInSeconds: 300 });
    const { config, environment } = await managerOptions({ home, authority });
    const options = { config, environment, environmentCredentials: true, loadAtStart: false };
    await using manager = createAuthManager({ ...options, keepFresh: true });
    await authority.waitForRequest("refresh");
    await vi.waitFor(
      () => expect(secretOf(manager.snapshot())).not.toBe(document.tokens.access_token),
      soon,
    );
    expect((await home.read()).tokens?.access_token).toBe(secretOf(manager.snapshot()));
  });
});
