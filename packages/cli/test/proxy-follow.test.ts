import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
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
  it("uses the account that another process switched to", async () => {
    await using running = await start();
    expect((await ask(running.proxy)).speaksFor).toBe(`Bearer ${keyOne}`);
    await running.home.run(["accounts", "use", "two"]);
    await vi.waitFor(
      async () => expect((await ask(running.proxy)).speaksFor).toBe(`Bearer ${keyTwo}`),
      soon,
    );
  });

  it("sends nothing once another process has signed out, and continues after a sign-in", async () => {
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

  // Elsewhere there is always a keyring: that of the person who runs the tests.
  it.runIf(process.platform === "linux")(
    "warns on stderr, once, also of what it finds while it serves",
    async () => {
      await using home = await CliHome.make(
        `cli_auth_credentials_store = "auto"\nopenai_base_url = "${authority.openaiBaseUrl}"\n`,
      );
      const env = { DBUS_SESSION_BUS_ADDRESS: "unix:path=/no/such/bus" };
      await home.writeAuth({ OPENAI_API_KEY: keyOne });
      await using proxy = await RunningProxy.start(home, [], env);
      await home.writeAuth({ OPENAI_API_KEY: keyTwo });
      await vi.waitFor(
        async () => expect((await ask(proxy)).speaksFor).toBe(`Bearer ${keyTwo}`),
        soon,
      );
      const warnings = proxy.log.filter((line) => line.includes("LOGIN_KEYRING_UNAVAILABLE"));
      expect(warnings).toEqual([expect.stringMatching(/^warning: OS keyring is not available/u)]);
      expect(proxy.said).toEqual([proxy.baseUrl]);
    },
  );

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
