import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import { generateAgentKey } from "@agent-auth/agent-identity/promises";
import { startTestAuthority, type TestAuthority } from "@agent-auth/test-authority";
import { missingPostgres, startPostgres } from "@agent-auth/tools/postgres";
import OpenAI from "openai";
import { describe, expect, it, vi } from "vitest";
import {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-jsonrpc/node";

// A program loads all its modules from source, which may take long on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const folder = join(import.meta.dirname, "..");
const root = join(folder, "..");
const binary = join(root, "packages/cli/dist/agent-auth.cjs");

/** A temporary CODEX_HOME whose configuration points at the authority. */
const makeHome = async (authority: TestAuthority) => {
  const path = await mkdtemp(join(tmpdir(), "examples-"));
  const base = `chatgpt_base_url = ${JSON.stringify(authority.chatgptBaseUrl)}\n`;
  await writeFile(join(path, "config.toml"), base);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
};

type Variables = Readonly<Record<string, string>>;

/** What every program gets: PATH, and the compiled modules of the other tests, which halve its start. */
const common: Variables = {
  PATH: process.env["PATH"] ?? "",
  NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? "",
};

/** Runs a program in its own process, with these variables and `common` only. */
const run = async (program: string, args: ReadonlyArray<string>, variables: Variables) => {
  const env = { ...common, ...variables };
  const options = { env, timeout: 120_000, cwd: variables["CODEX_HOME"] };
  try {
    return { code: 0, ...(await promisify(execFile)(program, args, options)) };
  } catch (error) {
    if (!(error instanceof Error && "stdout" in error && "stderr" in error && "code" in error))
      throw error;
    return { code: error.code, stdout: error.stdout, stderr: error.stderr };
  }
};

const node = (name: string, variables: Variables, ...args: ReadonlyArray<string>) =>
  run(process.execPath, [join(folder, name), ...args], variables);

/** Starts an example that is a server; gives its address once it listens. */
const start = async (name: string, variables: Variables, ...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [join(folder, name), ...args], {
    env: { ...common, ...variables },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const { port }: { port: number } = JSON.parse(line.value ?? "");
  return {
    url: `http://127.0.0.1:${port}/`,
    stop: async () => {
      child.kill("SIGTERM");
      return (await once(child, "exit"))[0];
    },
    [Symbol.dispose]: () => child.kill("SIGKILL"),
  };
};

const agent = async (authority: TestAuthority, home: string): Promise<Variables> => ({
  CODEX_HOME: home,
  CODEX_ACCESS_TOKEN: await authority.mintAgentIdentityJwt(),
});

describe("the documentation", () => {
  it.each([
    ["README.md", ["fetch.ts"]],
    ["packages/model-provider/README.md", ["fetch.ts", "openai-sdk.ts", "ai-sdk.ts"]],
    [
      "docs/http-clients.md",
      ["openai-sdk.ts", "ai-sdk.ts", "undici.ts", "effect.ts", "node-http.ts", "websocket.ts"],
    ],
    ["docs/embedding.md", ["server.ts"]],
    ["docs/embed-in-an-app-server.md", ["app-server.ts"]],
    ["docs/lend-a-sign-in-to-codex.md", ["lend-sign-in.ts"]],
  ])("%s shows the examples as they are tested", async (page, names) => {
    const text = await readFile(join(root, page), "utf8");
    for (const name of names)
      expect(text).toContain(`\`\`\`ts\n${await readFile(join(folder, name), "utf8")}\`\`\``);
  });

  it("examples/README.md lists every example", async () => {
    const text = await readFile(join(folder, "README.md"), "utf8");
    const listed = [...text.matchAll(/^\| \[.+?\]\((.+?)\)/gm)].map(([, name = ""]) => name);
    const files = (await readdir(folder)).filter((name) => /(?<!config)\.(?:ts|sh)$/.test(name));
    expect(listed.toSorted()).toEqual(files.toSorted());
  });
});

describe("a client", () => {
  it.each([
    ["fetch.ts", /^200 \{.*"status":"completed"/],
    ["openai-sdk.ts", /^four$/],
    ["ai-sdk.ts", /^four$/],
    ["undici.ts", /^200 \{/],
    ["node-http.ts", /^200$/m],
    ["websocket.ts", /^four$/],
    ["effect.ts", /^200 \{/],
  ])("%s sends an authenticated request", async (name, output) => {
    await using authority = await startTestAuthority({ settings: { replyText: "four" } });
    await using home = await makeHome(authority);
    expect(await node(name, await agent(authority, home.path))).toEqual({
      code: 0,
      stdout: expect.stringMatching(output),
      stderr: "",
    });
  });

  it.each(["fetch.ts", "effect.ts"])(
    "%s sends nothing without a sign-in, and says so in one line",
    async (name) => {
      await using authority = await startTestAuthority();
      await using home = await makeHome(authority);
      expect(await node(name, { CODEX_HOME: home.path })).toEqual({
        code: 1,
        stdout: "",
        stderr: expect.stringMatching(
          /^model provider "openai" needs a sign-in, but no account is signed in.*\n$/,
        ),
      });
      expect(authority.requests).toEqual([]);
    },
  );
});

describe("app-server.ts", () => {
  it("answers the account methods beside its own, and ends with its client", async () => {
    await using authority = await startTestAuthority();
    await using home = await makeHome(authority);
    const child = spawn(process.execPath, [join(folder, "app-server.ts")], {
      env: { ...common, CODEX_HOME: home.path },
      stdio: ["pipe", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    const client = createMessageConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
    );
    const updated = new Promise((resolve) => client.onNotification("account/updated", resolve));
    client.listen();
    await client.sendRequest("initialize", { clientInfo: { name: "test", version: "1" } });
    const login = { type: "apiKey", apiKey: "sk-example" };
    expect(await client.sendRequest("account/login/start", login)).toEqual({ type: "apiKey" });
    expect(await updated).toEqual({ authMode: "apikey", planType: null, reason: null });
    expect(await client.sendRequest("thread/start", {})).toEqual({ thread: { id: "thread-1" } });
    expect(await client.sendRequest("account/read", {})).toMatchObject({
      account: { type: "apiKey" },
    });
    client.dispose();
    child.stdin.end();
    expect((await exited)[0]).toBe(0);
  });
});

describe("lend-sign-in.ts", () => {
  it("lends a sign-in to an app server", async () => {
    await using authority = await startTestAuthority();
    await using home = await makeHome(authority);
    await using serverHome = await makeHome(authority);
    const { accessToken, accountId, idToken, refreshToken } = await authority.mintChatgptTokens({
      accessTokenClaims: { email: "ada@example.test" },
    });
    const document = {
      auth_mode: "chatgpt",
      OPENAI_API_KEY: null,
      tokens: {
        id_token: idToken,
        access_token: accessToken,
        refresh_token: refreshToken,
        account_id: accountId,
      },
      last_refresh: new Date().toISOString(),
    };
    await writeFile(join(home.path, "auth.json"), JSON.stringify(document), { mode: 0o600 });
    const server = [process.execPath, binary, "app-server"];
    const variables = { CODEX_HOME: home.path, SERVER_HOME: serverHome.path };
    expect(await node("lend-sign-in.ts", variables, ...server)).toEqual({
      code: 0,
      stdout: "lent to ada@example.test\n",
      stderr: "",
    });
    expect(await readdir(serverHome.path)).not.toContain("auth.json");
  });
});

describe("server.ts", () => {
  it("serves many clients with one sign-in, refreshes once after a 401, and stops on SIGTERM", async () => {
    await using authority = await startTestAuthority();
    await using home = await makeHome(authority);
    const { accessToken, accountId, idToken, refreshToken } = await authority.mintChatgptTokens();
    const document = {
      auth_mode: "chatgpt",
      OPENAI_API_KEY: null,
      tokens: {
        id_token: idToken,
        access_token: accessToken,
        refresh_token: refreshToken,
        account_id: accountId,
      },
      last_refresh: new Date().toISOString(),
    };
    await writeFile(join(home.path, "auth.json"), JSON.stringify(document), { mode: 0o600 });
    using server = await start("server.ts", {
      BACKEND: `${authority.chatgptBaseUrl}/codex`,
      CODEX_HOME: home.path,
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${authority.url}/oauth/token`,
    });
    authority.revokeAccessToken(accessToken);
    const responses = await Promise.all(Array.from({ length: 20 }, () => fetch(server.url)));
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(authority.count("refresh")).toBe(1);
    expect(await server.stop()).toBe(0);
  });
});

describe("gateway.ts", () => {
  it("lets registered agents in, and tells others why they are rejected", async () => {
    await using authority = await startTestAuthority();
    await using home = await makeHome(authority);
    const key = await generateAgentKey();
    const file = join(home.path, "agents.json");
    const agents = { "agent-1": { publicKey: key.sshPublicKey, tasks: ["task-1"] } };
    await writeFile(file, JSON.stringify(agents));
    using gateway = await start("gateway.ts", {}, file);
    const get = async (agentRuntimeId: string, taskId: string, nowMs = Date.now()) => {
      const signer = makeAssertionSigner({ key, agentRuntimeId, taskId });
      const response = await fetch(gateway.url, {
        headers: { authorization: signer.authorizationAt(nowMs) },
      });
      return [response.status, await response.text()];
    };
    expect(await get("agent-1", "task-1")).toEqual([200, "hello, agent-1\n"]);
    expect(await get("agent-1", "task-2")).toEqual([
      401,
      "AGENT_IDENTITY_ASSERTION_TASK_MISMATCH\n",
    ]);
    expect(await get("constructor", "task-1")).toEqual([
      401,
      "AGENT_IDENTITY_ASSERTION_AGENT_UNKNOWN\n",
    ]);
    expect(await get("agent-1", "task-1", Date.now() - 600_000)).toEqual([
      401,
      "AGENT_IDENTITY_ASSERTION_OUTSIDE_CLOCK_WINDOW\n",
    ]);
    const response = await fetch(gateway.url);
    expect([response.status, await response.text()]).toEqual([
      401,
      "AGENT_IDENTITY_ASSERTION_MALFORMED\n",
    ]);
    expect(await gateway.stop()).toBe(0);
  });
});

if (missingPostgres !== undefined) console.warn(`skipped: ${missingPostgres}`);

/** Starts `agent-auth proxy`; gives the base URL that it prints. */
const startProxy = async (variables: Variables) => {
  const child = spawn(process.execPath, [binary, "proxy", "--port", "0"], {
    env: { ...common, ...variables },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  return { url: String(line.value).trim(), [Symbol.dispose]: () => child.kill("SIGKILL") };
};

/** Two processes of the gateway over one database: the openai SDK through the proxy at one, our fetch at the other. */
const useTwoGateways = async (database: string, folder: string) => {
  const shared = { SIGNING_KEYS: join(folder, "signing-keys"), CODEX_HOME: folder };
  const minted = await node("openai-gateway.ts", shared, database, "mint", "team-1");
  using first = await start("openai-gateway.ts", shared, database);
  using second = await start("openai-gateway.ts", { ...shared, DAILY_WORDS: "10" }, database);
  const home = async (name: string, url: string): Promise<Variables> => {
    const path = join(folder, name);
    await mkdir(path);
    await writeFile(join(path, "config.toml"), `chatgpt_base_url = "${url}backend-api"\n`);
    return { CODEX_HOME: path, CODEX_ACCESS_TOKEN: String(minted.stdout).trim() };
  };

  using proxy = await startProxy(await home("first", first.url));
  const openai = new OpenAI({ apiKey: "unused", baseURL: proxy.url, maxRetries: 0 });
  const stream = await openai.responses.create({ model: "m", input: "two and two?", stream: true });
  let text = "";
  for await (const event of stream)
    if (event.type === "response.output_text.delta") text += event.delta;

  const variables = await home("second", second.url);
  const outcomes = [
    await node("fetch.ts", variables),
    await node("fetch.ts", variables),
    await node("fetch.ts", variables),
  ];
  const withoutCredential = await fetch(`${second.url}backend-api/codex/models`);
  return {
    streamed: text,
    fetched: outcomes.map(({ stdout }) => String(stdout).split(" ", 1)[0]),
    withoutCredential: withoutCredential.status,
  };
};

/** The second process gives each agent ten words: two replies. */
const expectedOfTwoGateways = {
  streamed: "You said: two and two?",
  fetched: ["200", "200", "429"],
  withoutCredential: 401,
};

describe("openai-gateway.ts", () => {
  it.skipIf(missingPostgres !== undefined)(
    "serves the openai SDK and our fetch in two processes over PostgreSQL, with a quota",
    async () => {
      await using postgres = await startPostgres();
      await using authority = await startTestAuthority();
      await using home = await makeHome(authority);
      expect(await useTwoGateways(postgres.createDatabase(), home.path)).toEqual(
        expectedOfTwoGateways,
      );
    },
  );

  it("does the same over SQLite", async () => {
    await using authority = await startTestAuthority();
    await using home = await makeHome(authority);
    expect(await useTwoGateways(join(home.path, "gateway.db"), home.path)).toEqual(
      expectedOfTwoGateways,
    );
  });
});

/** Runs the script where `agent-auth` is on PATH, as in a CI image. */
const runScript = async (authority: TestAuthority, jwt: string) => {
  await using home = await makeHome(authority);
  const bin = join(home.path, "bin");
  await mkdir(bin);
  const launcher = `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`;
  await writeFile(join(bin, "agent-auth"), launcher, { mode: 0o755 });
  const path = [bin, process.env["PATH"]].join(":");
  const outcome = await run("sh", [join(folder, "ci.sh")], {
    CODEX_HOME: home.path,
    PATH: path,
    AGENT_JWT: jwt,
  });
  const response = await readFile(join(home.path, "response.json"), "utf8").catch(() => "");
  return { ...outcome, response };
};

describe("ci.sh", () => {
  it.skipIf(process.platform === "win32")("writes the response of a model request", async () => {
    await using authority = await startTestAuthority({ settings: { replyText: "four" } });
    const outcome = await runScript(authority, await authority.mintAgentIdentityJwt());
    expect(outcome).toMatchObject({ code: 0, stdout: "response.json written\n", stderr: "" });
    expect(JSON.parse(outcome.response)).toMatchObject({ status: "completed" });
  });

  it.skipIf(process.platform === "win32")("fails with an expired token, unsent", async () => {
    await using authority = await startTestAuthority();
    const expired = await authority.mintAgentIdentityJwt({ expiresInSeconds: -600 });
    const outcome = await runScript(authority, expired);
    expect(outcome).toMatchObject({ code: 1, stdout: "", response: "" });
    expect(outcome.stderr).toContain("expired");
    expect(authority.count("responses")).toBe(0);
  });
});
