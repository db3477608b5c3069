import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { describe, expect, it, onTestFinished } from "vitest";
import { AuthManager } from "../src/manager/index.ts";
import { layer as httpClient } from "../src/http/index.ts";
import { createAuthManager } from "../src/promises/index.ts";
import { borrowFrom } from "./examples/lent-tokens.ts";
import { shared, sharingManager } from "./examples/sharing.ts";
import { type Home, managerOptions, openAuthority, openHome } from "./manager/fixture.ts";

const readme = join(import.meta.dirname, "../README.md");
const embedding = join(import.meta.dirname, "../../../docs/embedding.md");
const example = (name: string) => join(import.meta.dirname, "examples", name);
const read = (path: string) => readFile(path, "utf8");

const start = (name: string, env: Readonly<Record<string, string>>) => {
  const child = spawn(process.execPath, ["--conditions=@agent-auth/source", example(name)], {
    env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
};

const outcome = async (name: string, env: Readonly<Record<string, string>>) =>
  finished(start(name, env));

const finished = async (child: ReturnType<typeof start>) => {
  const [out, err, [code]] = await Promise.all([
    child.stdout.toArray(),
    child.stderr.toArray(),
    once(child, "close"),
  ]);
  return { out: out.join(""), err: err.join(""), code };
};

describe.each([
  ["promises.ts", "ApiKey from File\n", 1],
  ["effect.ts", "ApiKey\n", 0],
])("README.md, %s", (name, answer, failureCode) => {
  it("shows the program that is tested", async () => {
    expect(await read(readme)).toContain(await read(example(name)));
  });

  it("says which account is signed in, and that none is", async () => {
    const home = await openHome();
    expect(await outcome(name, { CODEX_HOME: home.path })).toEqual({
      out: "signed out\n",
      err: "",
      code: 0,
    });
    await home.write({ OPENAI_API_KEY: "sk-stored" });
    expect(await outcome(name, { CODEX_HOME: home.path })).toEqual({
      out: answer,
      err: "",
      code: 0,
    });
  });

  it("says what is wrong and what to do", async () => {
    const home = await openHome();
    await home.write("{}");
    expect(await outcome(name, { CODEX_HOME: home.path })).toEqual({
      out: "",
      err: `${home.authJson}: it holds neither an API key, nor tokens, nor an agent identity (LOGIN_CREDENTIAL_UNUSABLE). Sign in again.\n`,
      code: failureCode,
    });
  });
});

const signIn = async (home: Home, authority: TestAuthority, jwt: string) => {
  await writeFile(
    join(home.path, "config.toml"),
    `chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`,
  );
  const child = start("agent.ts", { CODEX_HOME: home.path });
  child.stdin.end(`${jwt}\n`);
  return finished(child);
};

describe("README.md, agent.ts", () => {
  it("shows the program that is tested", async () => {
    expect(await read(readme)).toContain(await read(example("agent.ts")));
  });

  it("signs an agent in, and stores a token only that it has verified", async () => {
    const [home, authority] = [await openHome(), await openAuthority()];
    const expired = await authority.mintAgentIdentityJwt({ expiresInSeconds: -600 });
    const refused = await signIn(home, authority, expired);
    expect(refused).toMatchObject({ out: "", code: 1 });
    expect(refused.err).toMatch(/^failed to verify .* \(AGENT_IDENTITY_JWT_EXPIRED\)\. Get a /u);
    expect(home.isSignedIn()).toBe(false);
    const { email } = authority.account;
    const accepted = await signIn(home, authority, await authority.mintAgentIdentityJwt());
    expect(accepted).toEqual({ out: `signed in as ${email}\n`, err: "", code: 0 });
    expect((await home.read()).auth_mode).toBe("agentIdentity");
  });
});

describe("docs/embedding.md", () => {
  it.each(["lent-tokens.ts", "sharing.ts"])("shows %s as it is tested", async (name) => {
    expect(await read(embedding)).toContain(await read(example(name)));
  });

  it("borrows an editor's tokens", async () => {
    const [home, authority] = [await openHome(), await openAuthority()];
    const { accessToken, accountId } = await authority.mintChatgptTokens();
    const { environment, config } = await managerOptions({ home, authority });
    await using manager = createAuthManager({ environment, config, environmentCredentials: false });
    await borrowFrom(manager, async ({ reason }) => {
      expect(reason).toBe("initial");
      return { accessToken, accountId };
    });
    expect(await manager.current()).toMatchObject({
      _tag: "ExternalChatgpt",
      source: { _tag: "External", name: "the editor" },
    });
    expect(home.isSignedIn()).toBe(false);
  });

  it("lets managers of two homes share a key set and a task", async () => {
    const [one, two, authority] = [await openHome(), await openHome(), await openAuthority()];
    const agent_identity = await authority.mintAgentIdentityJwt();
    const taskOf = async (home: Home) => {
      await home.write({ auth_mode: "agentIdentity", agent_identity });
      const options = await managerOptions({ home, authority });
      return AuthManager.use((manager) => manager.current).pipe(
        Effect.map(Option.getOrThrow),
        Effect.map((credential) => "signer" in credential && credential.signer.taskId),
        Effect.provide(sharingManager(options)),
      );
    };
    const { environment } = await managerOptions({ home: one, authority });
    const [first, second] = await Effect.runPromise(
      Effect.all([await taskOf(one), await taskOf(two)]).pipe(
        Effect.provide(shared(httpClient(environment))),
      ),
    );
    expect(first).toBe(second);
    expect([authority.count("jwks"), authority.count("registerTask")]).toEqual([1, 1]);
  });
});
