import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAuthManager, type PromiseAuthManager } from "@agent-auth/login/promises";
import type { TestAuthority } from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { createModelProvider } from "../src/promises/index.ts";
import {
  ask,
  authorityVariables,
  codexBackend,
  codexTimeout as timeout,
  missingCodex,
  runCodex,
  startCodexAuthority,
} from "./support/codex.ts";
import { makeHome } from "./support/sign-ins.ts";

// Two programs share a CODEX_HOME: each uses what the other one wrote.

if (missingCodex !== undefined) console.warn(`skipped: ${missingCodex}`);

const openHome = async (
  authority: TestAuthority,
  base = codexBackend(authority).openai_base_url,
) => {
  const home = await makeHome(authority, { config: `openai_base_url = ${JSON.stringify(base)}\n` });
  const env = await authorityVariables(authority, home.path);
  const readAuth = () => readFile(join(home.path, "auth.json"), "utf8");
  const manage = () => createAuthManager({ variables: env, environmentCredentials: false });
  const close = home[Symbol.asyncDispose];
  return { path: home.path, env, readAuth, manage, [Symbol.asyncDispose]: close };
};

type Home = Awaited<ReturnType<typeof openHome>>;

const askCodex = (home: Home): Promise<string> => ask(home.path, home.env, {}, "gpt-5.2-codex");

const openAgentAuth = (home: Home, env: Readonly<Record<string, string>> = {}) =>
  createModelProvider({ variables: { ...home.env, ...env }, environmentCredentials: true });

/** The status of one model request that agent-auth makes in that home. */
const askAgentAuth = async (client: Awaited<ReturnType<typeof openAgentAuth>>): Promise<number> => {
  const body = JSON.stringify({ model: "gpt-5.2-codex", input: "two and two?", stream: false });
  const headers = { "content-type": "application/json" };
  const answer = await client.fetch("./responses", { method: "POST", headers, body });
  await answer.arrayBuffer();
  return answer.status;
};

interface Kind {
  readonly name: string;
  /** Where its requests go; default: the ChatGPT backend. */
  readonly base?: (authority: TestAuthority) => string;
  readonly secret: (authority: TestAuthority) => string | Promise<string>;
  readonly signIn: (manager: PromiseAuthManager, secret: string) => Promise<unknown>;
  /** Flag of `codex login` that reads this secret from standard input. */
  readonly flag: string;
}

const kinds: ReadonlyArray<Kind> = [
  {
    name: "an API key",
    base: (authority) => authority.openaiBaseUrl,
    secret: (authority) => authority.addApiKey(),
    signIn: (manager, key) => manager.loginWithApiKey(key),
    flag: "--with-api-key",
  },
  {
    name: "a personal access token",
    secret: (authority) => authority.mintPersonalAccessToken(),
    signIn: (manager, token) => manager.loginWithAccessToken(token),
    flag: "--with-access-token",
  },
  {
    name: "an agent identity",
    secret: (authority) => authority.mintAgentIdentityJwt(),
    signIn: (manager, jwt) => manager.loginWithAccessToken(jwt),
    flag: "--with-access-token",
  },
];

const signInPerson = async (authority: TestAuthority, home: Home, expiresInSeconds = 3600) => {
  await using manager = home.manage();
  const tokens = await authority.mintChatgptTokens({ expiresInSeconds });
  await manager.loginWithChatgptTokens(tokens);
  return tokens;
};

describe.skipIf(missingCodex !== undefined).concurrent("agent-auth signs in", () => {
  it.each(kinds)("with $name, and Codex runs with the same file", { timeout }, async (kind) => {
    await using authority = await startCodexAuthority();
    await using home = await openHome(authority, kind.base?.(authority));
    await using manager = home.manage();
    await kind.signIn(manager, await kind.secret(authority));
    const written = await home.readAuth();
    expect(await askCodex(home)).toBe("four");
    expect(await home.readAuth()).toBe(written);
  });

  it("with ChatGPT tokens, and Codex runs with the same file", { timeout }, async () => {
    await using authority = await startCodexAuthority();
    await using home = await openHome(authority);
    await signInPerson(authority, home);
    const written = await home.readAuth();
    expect(await askCodex(home)).toBe("four");
    expect(await home.readAuth()).toBe(written);
    expect(authority.count("refresh")).toBe(0);
  });
});

describe.skipIf(missingCodex !== undefined).concurrent("Codex signs in", () => {
  it.each(kinds)("with $name, and agent-auth sends requests with it", { timeout }, async (kind) => {
    await using authority = await startCodexAuthority();
    await using home = await openHome(authority, kind.base?.(authority));
    const ended = await runCodex(
      home.path,
      home.env,
      ["login", kind.flag],
      `${await kind.secret(authority)}\n`,
    );
    expect(ended).toMatchObject({ status: 0, stderr: expect.stringContaining("logged in") });
    const written = await home.readAuth();
    await using client = await openAgentAuth(home);
    expect(await askAgentAuth(client)).toBe(200);
    expect(await home.readAuth()).toBe(written);
  });

  it(
    "by device code, agent-auth uses it, and Codex's logout ends it for both",
    { timeout },
    async () => {
      await using authority = await startCodexAuthority();
      await using home = await openHome(authority);
      const login = runCodex(home.path, home.env, [
        "login",
        "--device-auth",
        "--experimental_issuer",
        authority.issuer,
      ]);
      const poll = await authority.waitForRequest("deviceToken", { timeoutMs: 20_000 });
      const [, userCode = ""] = /"user_code":"([^"]+)"/.exec(poll.body) ?? [];
      expect(authority.decideDevice(userCode, { decision: "approve" })).toBe(true);
      expect(await login).toMatchObject({ status: 0 });
      await using client = await openAgentAuth(home);
      expect(await askAgentAuth(client)).toBe(200);
      await runCodex(home.path, home.env, ["logout"]);
      expect(authority.count("revoke")).toBe(1);
      await expect(home.readAuth()).rejects.toMatchObject({ code: "ENOENT" });
    },
  );
});

describe.skipIf(missingCodex !== undefined).concurrent("a refresh token is spent once", () => {
  it("by Codex, and agent-auth reads the new tokens", { timeout }, async () => {
    await using authority = await startCodexAuthority();
    await using home = await openHome(authority);
    await signInPerson(authority, home, 60); // due, for both programs
    const written = await home.readAuth();
    expect(await askCodex(home)).toBe("four");
    expect(await home.readAuth()).not.toBe(written);
    await using client = await openAgentAuth(home);
    expect(await askAgentAuth(client)).toBe(200);
    expect(authority.count("refresh")).toBe(1);
  });

  it(
    "by Codex, and an agent-auth that runs already takes them over after a 401",
    { timeout },
    async () => {
      await using authority = await startCodexAuthority();
      await using home = await openHome(authority);
      const { accessToken } = await signInPerson(authority, home);
      await using client = await openAgentAuth(home);
      expect(await askAgentAuth(client)).toBe(200);
      authority.revokeAccessToken(accessToken);
      expect(await askCodex(home)).toBe("four");
      expect(authority.count("refresh")).toBe(1);
      expect(await askAgentAuth(client)).toBe(200);
      expect(authority.count("refresh")).toBe(1);
    },
  );

  it("by agent-auth, and Codex reads the new tokens", { timeout }, async () => {
    await using authority = await startCodexAuthority();
    await using home = await openHome(authority);
    await signInPerson(authority, home, 60);
    await using client = await openAgentAuth(home);
    expect(await askAgentAuth(client)).toBe(200);
    const written = await home.readAuth();
    expect(await askCodex(home)).toBe("four");
    expect(await home.readAuth()).toBe(written);
    expect(authority.count("refresh")).toBe(1);
  });
});

describe
  .skipIf(missingCodex !== undefined)
  .concurrent("a refresh token that Codex spends at the same moment", () => {
    it("ends neither program's turn if the authority tolerates reuse", { timeout }, async () => {
      await using authority = await startCodexAuthority({ settings: { punishReuse: false } });
      await using home = await openHome(authority);
      await signInPerson(authority, home, 60);
      await using client = await openAgentAuth(home);
      authority.behave("refresh", { delayMs: 1000 }); // long enough for both to have sent theirs
      expect(await Promise.all([askCodex(home), askAgentAuth(client)])).toEqual(["four", 200]);
    });
  });

interface Beyond {
  readonly name: string;
  /** What Codex says; by default, its login status. */
  readonly answer: string;
  readonly env?: (authority: TestAuthority) => Promise<Readonly<Record<string, string>>>;
  readonly authJson?: (authority: TestAuthority) => Promise<unknown>;
}

// A Codex that learns one of these fails here; then it belongs above, and docs/http-clients.md has to say so.
const beyond: ReadonlyArray<Beyond> = [
  {
    name: "the variable CODEX_AGENT_IDENTITY, which it does not read",
    answer: "Not logged in",
    env: async (authority) => ({ CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt() }),
  },
  {
    name: "the claims of the first design of an agent identity JWT",
    answer: "payload is not valid JSON",
    env: async (authority) => ({
      CODEX_ACCESS_TOKEN: await authority.mintAgentIdentityJwt({ design: "v1" }),
    }),
  },
  {
    name: "the first design of an agent identity's record",
    answer: "did not match any variant of untagged enum AgentIdentityStorage",
    authJson: async (authority) => {
      const { agentRuntimeId, privateKey, account } = await authority.mintAgentIdentity();
      const agent_identity = {
        workspace_id: account.accountId,
        agent_runtime_id: agentRuntimeId,
        agent_private_key: privateKey,
        registered_at: "2026-04-13T12:00:00Z",
      };
      return { auth_mode: "agentIdentity", OPENAI_API_KEY: null, agent_identity };
    },
  },
];

describe
  .skipIf(missingCodex !== undefined)
  .concurrent("agent-auth takes, and Codex 0.163 does not", () => {
    it.each(beyond)("$name", { timeout }, async ({ answer, env, authJson }) => {
      await using authority = await startCodexAuthority();
      await using home = await openHome(authority);
      const given = (await env?.(authority)) ?? {};
      if (authJson !== undefined)
        await writeFile(join(home.path, "auth.json"), JSON.stringify(await authJson(authority)));
      const status = await runCodex(home.path, { ...home.env, ...given }, ["login", "status"]);
      expect(status).toMatchObject({ status: 1, stderr: expect.stringContaining(answer) });
      await using client = await openAgentAuth(home, given);
      expect(await askAgentAuth(client)).toBe(200);
    });
  });
