import { createHash } from "node:crypto";
import { startTestAuthority } from "@agent-auth/test-authority";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { chatgptSignIn } from "./support/chatgpt-sign-in.ts";
import { connectClient, RunningAppServer, upgradeOnly } from "./support/app-server.ts";
import { CliHome } from "./support/cli.ts";

const initialize = (id: number) =>
  JSON.stringify({
    id,
    method: "initialize",
    params: { clientInfo: { name: "test", version: "1" } },
  });
const read = (id: number) => JSON.stringify({ id, method: "account/read", params: {} });
const unixListener = ["--listen", "unix://"] as const;
const openListener = ["--listen", "ws://127.0.0.1:0", "--ws-auth", "none"] as const;

describe("app-server on stdio", () => {
  it("answers what was asked before stdin ended, and exits with 0", async () => {
    await using home = await CliHome.make();
    const { exitCode, stderr, stdout } = await home.run(["app-server", "--stdio"], {
      stdin: `${initialize(1)}\n${read(2)}\n`,
    });
    expect(exitCode).toBe(0);
    expect(stderr).toBe("");
    const messages = stdout
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(messages).toHaveLength(3);
    expect(messages[0]).toEqual({
      id: 1,
      result: expect.objectContaining({ codexHome: home.path }),
    });
    expect(messages).toContainEqual({ id: 2, result: expect.objectContaining({ account: null }) });
    expect(messages).toContainEqual(
      expect.objectContaining({ method: "remoteControl/status/changed" }),
    );
  });

  it.each(["SIGTERM", "SIGINT"] as const)("exits with 0 on %s", async (signal) => {
    await using home = await CliHome.make();
    const child = home.spawn(["app-server"]);
    const exit = once(child, "close");
    child.stdin.write(`${initialize(1)}\n`);
    await once(child.stdout, "data");
    child.kill(signal);
    expect(await exit).toEqual([0, null]);
  });

  it("ends on SIGTERM though its client does not read", async () => {
    await using home = await CliHome.make();
    const child = home.spawn(["app-server"]);
    const exit = once(child, "close");
    child.stdin.on("error", () => {});
    child.stdin.write(`${initialize(1)}\n`);
    await once(child.stdout, "data");
    child.stdout.pause();
    for (let id = 2; id < 20_000; id++) {
      if (child.stdin.write(`${read(id)}\n`)) continue;
      const isStuck = await Promise.race([
        once(child.stdin, "drain").then(() => false),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 1000)),
      ]);
      if (isStuck) break;
    }
    child.kill("SIGTERM");
    child.stdout.resume();
    expect(await exit).toEqual([0, null]);
  });

  it("ends if its client has closed stdout", async () => {
    await using home = await CliHome.make();
    const child = home.spawn(["app-server"]);
    const exit = once(child, "close");
    child.stdout.destroy();
    child.stdin.on("error", () => {});
    child.stdin.write(`${initialize(1)}\n`);
    expect(await exit).toEqual([0, null]);
  });

  it("ignores API keys and agents in its environment, as Codex does", async () => {
    await using home = await CliHome.make();
    const { stdout } = await home.run(["app-server"], {
      stdin: `${initialize(1)}\n${read(2)}\n`,
      env: { CODEX_API_KEY: "sk-environment", OPENAI_API_KEY: "sk-openai" },
    });
    expect(stdout).toContain('"account":null');
    expect(stdout).not.toContain("sk-");
  });

  it("notices a login of another program and tells its client", async () => {
    await using home = await CliHome.make();
    const child = home.spawn(["app-server"]);
    child.stdin.write(`${initialize(1)}\n${read(2)}\n`);
    let text = "";
    child.stdout.on("data", (data: Buffer) => (text += data.toString()));
    await expect.poll(() => text, { timeout: 10_000 }).toContain('"id":2');
    await home.writeAuth({ OPENAI_API_KEY: "sk-proj-1234567890ABCDE" });
    await expect
      .poll(() => text, { timeout: 10_000 })
      .toContain('{"method":"account/updated","params":{"authMode":"apikey"');
    child.stdin.end();
    await once(child, "close");
  });
});

describe("app-server on ws://", () => {
  it("does not start without --ws-auth, on loopback either", async () => {
    await using home = await CliHome.make();
    const { exitCode, stderr } = await home.run(["app-server", "--listen", "ws://127.0.0.1:0"]);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      "Error: refusing to start websocket listener 127.0.0.1:0 without auth; configure `--ws-auth capability-token` or `--ws-auth signed-bearer-token`. `--listen unix://` lets only you connect. `--ws-auth none` lets you and root connect on Linux, and every user of the machine on other systems.\n",
    );
  });

  it("does not start without authentication where other machines can connect, with --ws-auth none either", async () => {
    await using home = await CliHome.make();
    const words = ["app-server", "--listen", "ws://0.0.0.0:0", "--ws-auth", "none"];
    const { exitCode, stderr } = await home.run(words);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^Error: refusing to start non-loopback websocket listener 0\.0\.0\.0:0/u,
    );
  });

  it.runIf(process.platform === "linux").each([
    ["this user's programs", [], "every program of this user can connect"],
    ["every user", ["--ws-allow-other-users"], "every user of this machine can connect"],
  ])("says that %s can connect with --ws-auth none", async (_, flags, note) => {
    await using home = await CliHome.make();
    await using server = await RunningAppServer.start(home, [...openListener, ...flags]);
    await expect.poll(() => server.lines.at(-1), { timeout: 10_000 }).toBe(`  note: ${note}`);
  });

  it("refuses a port in use with exit code 1", async () => {
    await using home = await CliHome.make();
    await using server = await RunningAppServer.start(home, openListener);
    const port = "port" in server.target ? server.target.port : 0;
    const words = ["app-server", "--listen", `ws://127.0.0.1:${port}`, "--ws-auth", "none"];
    const { exitCode, stderr } = await home.run(words);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`cannot listen on ws://127.0.0.1:${port}: the address is in use`);
  });

  it("accepts a Host of --ws-allowed-host, and the loopback names", async () => {
    await using home = await CliHome.make();
    const words = [...openListener, "--ws-allowed-host", "app.internal"];
    await using server = await RunningAppServer.start(home, words);
    const statusFor = async (host: string) =>
      (await upgradeOnly(server.target, "/", { Host: host })).status;
    expect(await statusFor("x")).toBe(400); // two Host headers
    const client = await connectClient(server.target, "/", { Host: "app.internal" });
    client.close();
    await expect(connectClient(server.target, "/", { Host: "evil.example" })).rejects.toThrow(
      "421",
    );
  });

  it("warns if every user can read its token", async () => {
    await using home = await CliHome.make();
    const token = join(home.path, "token");
    await writeFile(token, "a-long-capability-token");
    await chmod(token, 0o644);
    const auth = ["--ws-auth", "capability-token", "--ws-token-file", token];
    await using server = await RunningAppServer.start(home, [
      "--listen",
      "ws://127.0.0.1:0",
      ...auth,
    ]);
    expect(server.lines[0]).toBe(
      `warning: every user of this machine can access ${token}; run: chmod 600 ${token}`,
    );
  });

  it("prints neither tokens nor messages, with --verbose either", async () => {
    await using home = await CliHome.make();
    const digest = createHash("sha256").update("capability-1").digest("hex");
    const words = ["--ws-auth", "capability-token", "--ws-token-sha256", digest, "--verbose"];
    await using server = await RunningAppServer.start(home, [
      "--listen",
      "ws://127.0.0.1:0",
      ...words,
    ]);
    await upgradeOnly(server.target, "/", { Authorization: "Bearer capability-wrong" });
    const client = await connectClient(server.target, "/", {
      Authorization: "Bearer capability-1",
    });
    client.send("capability-text that is not a message");
    client.send(initialize(1));
    client.send(
      JSON.stringify({
        id: 2,
        method: "account/login/start",
        params: { type: "apiKey", apiKey: "sk-secret-1" },
      }),
    );
    await client.answerTo(2);
    client.close();
    await server.stop();
    expect(server.lines.join("\n")).not.toMatch(/capability-(?:1|wrong|text)|sk-secret/u);
  });
});

describe("app-server on a Unix socket", () => {
  it("serves many clients from one sign-in, and keeps it when they leave", async () => {
    await using authority = await startTestAuthority();
    await using home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
    const account = authority.createAccount({ email: "ada@example.com" });
    await home.writeAuth(chatgptSignIn(authority, await authority.mintChatgptTokens({ account })));
    await using server = await RunningAppServer.start(home, unixListener);
    const clients = await Promise.all(
      Array.from({ length: 10 }, () => connectClient(server.target)),
    );
    for (const client of clients) {
      client.send(initialize(1));
      client.send(read(2));
    }
    for (const client of clients)
      expect(await client.answerTo(2)).toMatchObject({
        result: { account: { type: "chatgpt", email: "ada@example.com" } },
      });
    for (const client of clients) client.close();
    const late = await connectClient(server.target);
    late.send(initialize(1));
    late.send(read(2));
    expect(await late.answerTo(2)).toMatchObject({ result: { account: { type: "chatgpt" } } });
    late.close();
  });

  it("signs in with a device code, tells every client, and signs out with a revocation", async () => {
    await using authority = await startTestAuthority({ settings: { deviceIntervalSeconds: 1 } });
    await using home = await CliHome.make(`chatgpt_base_url = "${authority.chatgptBaseUrl}"\n`);
    await using server = await RunningAppServer.start(home, unixListener, {
      env: {
        CODEX_APP_SERVER_LOGIN_ISSUER: authority.issuer,
        CODEX_REVOKE_TOKEN_URL_OVERRIDE: `${authority.issuer}/oauth/revoke`,
      },
    });
    const ada = await connectClient(server.target);
    const other = await connectClient(server.target);
    for (const client of [ada, other]) client.send(initialize(1));
    await other.answerTo(1);
    const start = { type: "chatgptDeviceCode" };
    ada.send(JSON.stringify({ id: 2, method: "account/login/start", params: start }));
    const answer = await ada.answerTo(2);
    const code = /"userCode":"([^"]+)"/u.exec(JSON.stringify(answer))?.[1] ?? "";
    const account = authority.createAccount({ email: "ada@example.com", planType: "pro" });
    authority.decideDevice(code, { decision: "approve", account });
    for (const client of [ada, other])
      await expect
        .poll(() => client.received, { timeout: 20_000 })
        .toEqual(
          expect.arrayContaining([
            expect.objectContaining({
              method: "account/login/completed",
              params: expect.objectContaining({ success: true, error: null }),
            }),
            expect.objectContaining({
              method: "account/updated",
              params: { authMode: "chatgpt", planType: "pro", reason: null },
            }),
          ]),
        );
    expect(await home.readAuth()).toContain('"tokens"');
    other.send(read(2));
    expect(await other.answerTo(2)).toMatchObject({
      result: { account: { type: "chatgpt", email: "ada@example.com", planType: "pro" } },
    });
    other.send(JSON.stringify({ id: 3, method: "account/logout" }));
    expect(await other.answerTo(3)).toEqual({ id: 3, result: {} });
    expect(await home.readAuth()).toBeNull();
    expect(authority.count("revoke")).toBe(1);
    for (const client of [ada, other]) client.close();
  });

  it("replaces the socket of a killed server, and removes its own on SIGINT", async () => {
    await using home = await CliHome.make();
    await using killed = await RunningAppServer.start(home, unixListener);
    await killed.stop("SIGKILL");
    await using server = await RunningAppServer.start(home, unixListener);
    const client = await connectClient(server.target);
    client.send(initialize(1));
    await client.answerTo(1);
    client.close();
    expect(await server.stop("SIGINT")).toBe(0);
    expect(await readdir(join(home.path, "app-server-control"))).toEqual([
      "app-server-startup.lock",
    ]);
  });

  it("is not replaced by a server that was told to use the same path through a link", async () => {
    await using home = await CliHome.make();
    await using server = await RunningAppServer.start(home, unixListener);
    const link = join(await mkdtemp(join(tmpdir(), "aa-link-")), "home");
    await symlink(home.path, link);
    const { exitCode, stderr } = await home.run(["app-server", ...unixListener], {
      env: { CODEX_HOME: link },
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("already in use");
    expect(await server.stop()).toBe(0);
  });
});

describe("app-server proxy", () => {
  it("fails if no server is running, and says how to start one", async () => {
    await using home = await CliHome.make();
    const { exitCode, stderr, stdout } = await home.run(["app-server", "proxy"]);
    const path = join(home.path, "app-server-control/app-server-control.sock");
    expect({ exitCode, stderr, stdout }).toEqual({
      exitCode: 1,
      stderr: `Error: failed to connect to socket at ${path} (ENOENT). Start a server with: agent-auth app-server --listen unix://\n`,
      stdout: "",
    });
  });

  it("copies bytes unchanged in both directions until the server closes", async () => {
    await using home = await CliHome.make();
    const path = join(home.path, "echo.sock");
    const { createServer } = await import("node:net");
    const server = createServer((socket) => socket.pipe(socket)).listen(path);
    await once(server, "listening");
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 256));
    const child = home.spawn(["app-server", "proxy", "--sock", path]);
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    const exit = once(child, "close");
    child.stdin.end(bytes);
    expect(await exit).toEqual([0, null]);
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    server.close();
  });

  it("ends if the server goes away", async () => {
    await using home = await CliHome.make();
    await using server = await RunningAppServer.start(home, unixListener);
    const child = home.spawn(["app-server", "proxy"]);
    const exit = once(child, "close");
    child.stdin.write("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(child.stdout, "data");
    await server.stop("SIGKILL");
    expect(await exit).toEqual([0, null]);
  });
});

describe("app-server's start-up flags", () => {
  it("--print-startup-config prints the requirements and ends", async () => {
    await using home = await CliHome.make('forced_login_method = "api"\n');
    const { exitCode, stdout } = await home.run(["app-server", "--print-startup-config"]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      appServerVersion: expect.any(String),
      configRequirements: { requirements: { allowedLoginMethods: ["api"] } },
    });
  });

  it("--startup-sign-out removes the credential first, and needs --print-startup-config", async () => {
    await using home = await CliHome.make();
    await home.writeAuth({ OPENAI_API_KEY: "sk-proj-1234567890ABCDE" });
    const alone = await home.run(["app-server", "--startup-sign-out"]);
    expect(alone.exitCode).toBe(2);
    expect(await home.readAuth()).not.toBeNull();
    const both = await home.run(["app-server", "--startup-sign-out", "--print-startup-config"]);
    expect(both.exitCode).toBe(0);
    expect(both.stdout).toContain('"requirements":null');
    expect(await home.readAuth()).toBeNull();
  });

  it.each([
    ["nope", "is not JSON"],
    ["5", "must be a JSON object"],
    ['{"name":"x"}', "must be a JSON object with the strings name and version"],
    ['{"name":"a\\nb","version":"1"}', "has a name that is not a valid header value"],
  ])("--startup-client-info %s is refused", async (json, problem) => {
    await using home = await CliHome.make();
    const { exitCode, stderr } = await home.run(["app-server", "--startup-client-info", json]);
    expect(exitCode).toBe(2);
    expect(stderr).toBe(
      `error: --startup-client-info ${problem} (try: agent-auth app-server --help)\n`,
    );
  });

  it("flags of Codex without a meaning here are accepted", async () => {
    await using home = await CliHome.make();
    const flags = ["--analytics-default-enabled", "--enable", "x", "--disable", "y"];
    const { exitCode } = await home.run(["app-server", ...flags]);
    expect(exitCode).toBe(0);
  });

  it.each([
    ["--listen off", ["--listen", "off"], 1, "no transport configured"],
    ["--listen with --stdio", ["--listen", "off", "--stdio"], 2, "cannot be used with '--stdio'"],
    ["a clock skew that is not a number", ["--ws-max-clock-skew-seconds", "x"], 2, "whole number"],
    ["an issuer without a mode", ["--ws-issuer", "x"], 1, "websocket auth flags require"],
    ["--strict-config", ["--strict-config"], 2, "--strict-config is not supported: only the keys"],
    [
      "--code-mode-host",
      ["--code-mode-host", "http://127.0.0.1:1"],
      2,
      "--code-mode-host is not supported: this server runs no code",
    ],
    [
      "--cloud-skills-snapshot",
      ["--cloud-skills-snapshot", "/x"],
      2,
      "--cloud-skills-snapshot is not supported: this server has no skills",
    ],
    [
      "an issuer with --ws-auth none",
      ["--ws-auth", "none", "--ws-issuer", "x"],
      1,
      "websocket auth flags require",
    ],
  ])("%s is refused", async (_, flags, code, text) => {
    await using home = await CliHome.make();
    const { exitCode, stderr } = await home.run(["app-server", ...flags]);
    expect(exitCode).toBe(code);
    expect(stderr).toContain(text);
  });
});

describe("app-server generate-json-schema and generate-ts", () => {
  it("write every type, and the experimental ones if asked for", async () => {
    await using home = await CliHome.make();
    const filesOf = async (...words: readonly string[]) => {
      const folder = await mkdtemp(join(home.path, "out-"));
      const { exitCode, stderr, stdout } = await home.run([
        "app-server",
        ...words,
        "--out",
        join(folder, "new"),
      ]);
      expect([exitCode, stdout]).toEqual([0, ""]);
      expect(stderr).toMatch(/^Wrote \d+ files? to /u);
      const files = await readdir(join(folder, "new"), { recursive: true });
      return { files, folder: join(folder, "new") };
    };
    const schemas = await filesOf("generate-json-schema");
    expect(schemas.files).toContain("v2/GetAccountParams.json");
    expect(schemas.files).toContain("v1/InitializeParams.json");
    expect(schemas.files).toContain("ChatgptAuthTokensRefreshParams.json");
    expect(schemas.files).not.toContain("v2/AccountSessionsResponse.json");
    const name = "codex_app_server_protocol.schemas.json";
    const bundle = await readFile(join(schemas.folder, name), "utf8");
    expect(JSON.parse(bundle)).toMatchObject({
      definitions: { v2: { GetAccountParams: { title: "GetAccountParams", type: "object" } } },
    });
    const all = await filesOf("generate-json-schema", "--experimental");
    expect(all.files).toContain("v2/AccountSessionsResponse.json");
    const types = await filesOf("generate-ts");
    expect(types.files).toContain("v2/GetAccountResponse.ts");
    expect(await readFile(join(types.folder, "index.ts"), "utf8")).toContain(
      'export * as v2 from "./v2";',
    );
  });

  it("need a folder that can be written to", async () => {
    await using home = await CliHome.make();
    const none = await home.run(["app-server", "generate-ts"]);
    expect(none.exitCode).toBe(2);
    await writeFile(join(home.path, "file"), "");
    const blocked = await home.run(["app-server", "generate-ts", "--out", join(home.path, "file")]);
    expect(blocked.exitCode).toBe(1);
    expect(blocked.stderr).toBe(
      `Error: cannot write to ${join(home.path, "file")} (EEXIST). Name a folder that you can write to with --out.\n`,
    );
  });
});

describe("a listener of app-server", () => {
  it("survives clients that disappear in the middle of everything", async () => {
    await using home = await CliHome.make();
    await using server = await RunningAppServer.start(home, openListener);
    const port = "port" in server.target ? server.target.port : 0;
    for (const text of ["", "GET", "GET / HTTP/1.1\r\n", "\u0000\u0001\u0002\r\n\r\n"]) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      await once(socket, "connect");
      socket.write(text);
      socket.resetAndDestroy();
    }
    const client = await connectClient(server.target);
    client.send(initialize(1));
    expect(await client.answerTo(1)).toMatchObject({ id: 1 });
    client.close();
    expect(await server.stop()).toBe(0);
  });
});
