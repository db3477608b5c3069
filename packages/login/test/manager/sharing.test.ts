import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as JwksCache from "@agent-auth/agent-identity/jwks/cache";
import { AgentTasks } from "@agent-auth/agent-identity/tasks";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { describe, expect, it } from "vitest";
import { AuthManager, layerNoDeps } from "../../src/manager/index.ts";
import { layer as storeLayer } from "../../src/storage/configured.ts";
import { layer as httpLayer } from "../../src/http/index.ts";
import { createAuthManager } from "../../src/promises/index.ts";
import { managerOptions, openAuthority, openHome, withManager } from "./fixture.ts";

describe("two managers of one process", () => {
  it("share a key set and a task if their layers get the same services", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    const options = await managerOptions({ home, authority, env });
    const http = httpLayer(options.environment);
    const shared = Layer.mergeAll(
      http,
      storeLayer({ mode: "file", codexHome: options.environment.codexHome }),
      JwksCache.layerMemory,
      Layer.provide(AgentTasks.layer, http),
    );
    const taskId = AuthManager.use((manager) =>
      Effect.map(manager.current, (current) => {
        const credential = Option.getOrThrow(current);
        return credential._tag === "AgentIdentity" ? credential.signer.taskId : undefined;
      }),
    ).pipe(Effect.provide(Layer.fresh(layerNoDeps(options))));
    const [first, second] = await Effect.runPromise(
      Effect.all([taskId, taskId]).pipe(Effect.provide(shared)),
    );
    expect(first).toBe(second);
    expect([authority.count("jwks"), authority.count("registerTask")]).toEqual([1, 1]);
  });

  it("share nothing if their layers get no services", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const env = { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() };
    const { environment, config } = await managerOptions({ home, authority, env });
    const options = { environment, config, environmentCredentials: true };
    await using first = createAuthManager(options);
    await first.current();
    await using second = createAuthManager(options);
    await second.current();
    expect([authority.count("jwks"), authority.count("registerTask")]).toEqual([2, 2]);
  });

  it("share nothing after the first one was closed", async () => {
    const home = await openHome();
    const config = ['cli_auth_credentials_store="ephemeral"'];
    const { environment, config: parsed } = await managerOptions({ home, config });
    const options = { environment, config: parsed, environmentCredentials: true };
    const first = createAuthManager(options);
    await first.loginWithApiKey("sk-first-tenant");
    await first.close();
    await using second = createAuthManager(options);
    expect(await second.current()).toBeNull();
  });
});

describe("a manager that keeps key sets on disk", () => {
  it("needs no request for a set that an earlier program has fetched", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const setup = {
      home,
      authority,
      env: { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() },
      options: { keepJwksOnDisk: true },
    };
    const load = () => withManager(setup, (manager) => manager.current);
    await load();
    await load();
    expect(authority.count("jwks")).toBe(1);
    await rm(join(home.path, "agent-auth"), { recursive: true });
    await load();
    expect(authority.count("jwks")).toBe(2);
  });

  it("keeps the set that a sign-in fetched for the programs that load it", async () => {
    const home = await openHome();
    const authority = await openAuthority();
    const jwt = Redacted.make(await authority.mintAgentIdentityJwt());
    const options = { keepJwksOnDisk: true };
    await withManager({ home, authority, options: { ...options, loadAtStart: false } }, (manager) =>
      manager.saveAccessToken(jwt),
    );
    await withManager({ home, authority, options }, (manager) => manager.current);
    expect(authority.count("jwks")).toBe(1);
  });
});
