import { readFile } from "node:fs/promises";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import { createAuthManager } from "../../src/promises/index.ts";
import { openAuthority, openHome, openSignIn, withManager, type ManagerSetup } from "./fixture.ts";

const inspect = (setup: ManagerSetup) =>
  withManager({ ...setup, options: { loadAtStart: false } }, (manager) =>
    Effect.map(manager.inspect, (inspected) => ({
      inspected: Option.getOrNull(inspected),
      snapshot: manager.snapshot(),
    })),
  );

describe("AuthManager.inspect", () => {
  it("reports an expired sign-in, and spends and changes nothing", async () => {
    const { home, authority } = await openSignIn({ expiresInSeconds: -10 });
    const before = await readFile(home.authJson, "utf8");
    const { inspected, snapshot } = await inspect({ home, authority });
    expect(inspected).toMatchObject({
      credential: { _tag: "Chatgpt", source: { _tag: "File", path: home.authJson } },
      isDue: true,
      isExpired: true,
    });
    expect(Option.isNone(snapshot)).toBe(true);
    expect(authority.requests).toEqual([]);
    expect(await readFile(home.authJson, "utf8")).toBe(before);
  });

  it("returns when a refresh is due: ten minutes before the token expires", async () => {
    const { home, authority } = await openSignIn({ expiresInSeconds: 3_600 });
    const { inspected } = await inspect({ home, authority });
    expect(inspected).toMatchObject({ isDue: false, isExpired: false });
    expect((inspected?.expiresAtMs ?? 0) - (inspected?.dueAtMs ?? 0)).toBe(600_000);
  });

  it.each([
    ["forced_login_method=api", "method"],
    ['forced_chatgpt_workspace_id=["ws-other"]', "workspace"],
  ])("names the violated %s and removes nothing", async (line, rule) => {
    const { home, authority } = await openSignIn();
    const { inspected } = await inspect({ home, authority, config: [line] });
    expect(inspected?.forbidden).toMatchObject({
      code: "LOGIN_CREDENTIAL_FORBIDDEN",
      rule,
      loggedOut: false,
    });
    expect(home.isSignedIn()).toBe(true);
  });

  it("verifies an agent identity JWT, and registers no task", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    const { inspected } = await inspect({ home, authority, env });
    expect(inspected?.credential).toMatchObject({ _tag: "AgentIdentity", form: "jwt" });
    expect([authority.count("jwks"), authority.count("registerTask")]).toEqual([1, 0]);
  });

  it("is none when signed out, and an error if the store is broken", async () => {
    const home = await openHome();
    expect((await inspect({ home })).inspected).toBeNull();
    await home.write("{");
    const variables = { CODEX_HOME: home.path };
    const options = { variables, environmentCredentials: true, loadAtStart: false };
    await using manager = createAuthManager(options);
    await expect(manager.inspect()).rejects.toMatchObject({ code: "LOGIN_AUTH_JSON_INVALID" });
  });
});
