import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { followSignIn } from "../src/proxy/follow-sign-in.ts";
import { CliHome } from "./support/cli.ts";
import { RunningProxy } from "./support/proxy.ts";

let authority: TestAuthority;
beforeAll(async () => {
  authority = await startTestAuthority();
});
afterAll(() => authority.close());

const keyOne = "sk-proj-one-0123456789";
const keyTwo = "sk-proj-two-0123456789";

/** A home where two API keys are kept, the first one present, and a proxy in it. */
const start = async () => {
  const home = await CliHome.make(`openai_base_url = "${authority.openaiBaseUrl}"\n`);
  await home.run(["login", "--with-api-key"], { stdin: keyOne });
  await home.run(["accounts", "add", "one", "--current"]);
  await home.run(["accounts", "add", "two", "--with-api-key"], { stdin: keyTwo });
  const proxy = await RunningProxy.start(home);
  return {
    home,
    proxy,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
};

/** Sends one request; its status, and for whom it arrived. */
const ask = async (proxy: RunningProxy) => {
  const before = authority.count("models");
  const answer = await request(`${proxy.baseUrl}/models`);
  const text = await answer.body.text();
  const arrived = authority.requestsTo("models").at(before);
  return { status: answer.statusCode, text, speaksFor: arrived?.headers.authorization };
};

const soon = { timeout: 8000, interval: 200 };

describe("a proxy that runs", () => {
  it("speaks for the account that another process switched to", async () => {
    await using running = await start();
    expect((await ask(running.proxy)).speaksFor).toBe(`Bearer ${keyOne}`);
    await running.home.run(["accounts", "use", "two"]);
    await vi.waitFor(
      async () => expect((await ask(running.proxy)).speaksFor).toBe(`Bearer ${keyTwo}`),
      soon,
    );
  });

  it("sends nothing once another process has signed out, and goes on after a sign-in", async () => {
    await using running = await start();
    await running.home.run(["logout"]);
    const refused = await vi.waitFor(async () => {
      const answer = await ask(running.proxy);
      expect(answer.status).toBe(502);
      return answer;
    }, soon);
    expect(JSON.parse(refused.text)).toMatchObject({
      error: { code: "PROVIDER_SIGN_IN_REQUIRED", hint: "Run: agent-auth login" },
    });
    expect(refused.speaksFor).toBeUndefined();
    await running.home.run(["login", "--with-api-key"], { stdin: keyTwo });
    await vi.waitFor(
      async () => expect((await ask(running.proxy)).speaksFor).toBe(`Bearer ${keyTwo}`),
      soon,
    );
  });

  it("sends nothing while the stored sign-in is broken, and says so", async () => {
    await using running = await start();
    await running.home.writeAuth("{");
    const refused = await vi.waitFor(async () => {
      const answer = await ask(running.proxy);
      expect(answer.status).toBe(502);
      return answer;
    }, soon);
    expect(JSON.parse(refused.text).error.code).toBe("LOGIN_AUTH_JSON_INVALID");
    expect(refused.speaksFor).toBeUndefined();
  });

  it("looks at the file that auth.json leads to", async () => {
    await using running = await start();
    const elsewhere = join(running.home.path, "elsewhere.json");
    await rename(running.home.authFile, elsewhere);
    await symlink(elsewhere, running.home.authFile);
    expect((await ask(running.proxy)).speaksFor).toBe(`Bearer ${keyOne}`);
    await running.home.run(["accounts", "use", "two"]);
    await vi.waitFor(
      async () => expect((await ask(running.proxy)).speaksFor).toBe(`Bearer ${keyTwo}`),
      soon,
    );
  });
});

const setUp = () => {
  const world = { nowMs: 0, stamp: "a", looks: 0, isLoadable: true, reloads: 0 };
  const followed = followSignIn({
    stampAtStart: "a",
    stamp: () => {
      world.looks += 1;
      return world.stamp;
    },
    reload: () => {
      world.reloads += 1;
      return Promise.resolve(world.isLoadable);
    },
    nowMs: () => world.nowMs,
  });
  return { world, followed };
};

describe("followSignIn", () => {
  it("looks once a second at most", () => {
    const { world, followed } = setUp();
    for (let at = 0; at < 3000; at += 10) {
      world.nowMs = at;
      expect(followed.changed()).toBeNull();
    }
    expect(world.looks).toBe(2);
  });

  it("loads once for all requests that come meanwhile", async () => {
    const { world, followed } = setUp();
    world.nowMs = 1000;
    world.stamp = "b";
    const [first, second] = [followed.changed(), followed.changed()];
    expect(first).toBeInstanceOf(Promise);
    expect(second).toBe(first);
    await first;
    world.nowMs = 5000;
    expect(followed.changed()).toBeNull();
    expect(world.reloads).toBe(1);
  });

  it("tries again what could not be loaded, at the next look", async () => {
    const { world, followed } = setUp();
    Object.assign(world, { nowMs: 1000, stamp: "b", isLoadable: false });
    await followed.changed();
    expect(followed.changed()).toBeNull();
    Object.assign(world, { nowMs: 2000, isLoadable: true });
    await followed.changed();
    world.nowMs = 3000;
    expect(followed.changed()).toBeNull();
    expect(world.reloads).toBe(2);
  });

  it("takes a change between the start and the first look for one", async () => {
    const { world, followed } = setUp();
    Object.assign(world, { nowMs: 1000, stamp: "" });
    await followed.changed();
    expect(world.reloads).toBe(1);
  });
});
