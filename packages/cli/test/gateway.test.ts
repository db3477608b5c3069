import { spawn, spawnSync } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  gatewayClientId,
  startTestAuthority,
  type TestAuthority,
} from "@agent-auth/test-authority";
import { describe, expect, it } from "vitest";
import { agentAuth, CliHome, ended } from "./support/cli.ts";

/** Makes root a user that may not use ports below 1024. */
const withoutLowPorts = ["--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"];
const tryLowPort = [
  process.execPath,
  "-e",
  'require("net").createServer().on("error", () => process.exit(7)).listen(1, "127.0.0.1", () => process.exit(0))',
];
const missingCapability =
  spawnSync("setpriv", [...withoutLowPorts, ...tryLowPort]).status === 7
    ? undefined
    : " (skipped: needs root, setpriv, and a system that restricts low ports)";

const table = (authority: TestAuthority, delivery: string, provider: string) =>
  [
    'model_provider = "gw"',
    `openai_base_url = "${authority.openaiBaseUrl}"`,
    "[model_providers.gw]",
    'name = "Gateway"',
    `base_url = "${authority.url}/gateway/v1"`,
    provider,
    "[model_providers.gw.gateway_oauth]",
    `authorization_url = "${authority.url}/gateway/authorize"`,
    `device_authorization_url = "${authority.url}/gateway/device"`,
    `token_url = "${authority.url}/gateway/token"`,
    `client_id = "${gatewayClientId}"`,
    'scopes = ["models"]',
    'credentials_store = "file"',
    delivery,
  ].join("\n");

const open = async ({ delivery = "", provider = "" } = {}) => {
  const authority = await startTestAuthority({ settings: { deviceIntervalSeconds: 0 } });
  const home = await CliHome.make(table(authority, delivery, provider));
  return {
    authority,
    home,
    storeFile: join(home.path, "secrets/gateway_oauth.json"),
    async [Symbol.asyncDispose]() {
      await authority.close();
      await home[Symbol.asyncDispose]();
    },
  };
};

type Setup = Awaited<ReturnType<typeof open>>;

/** Runs `login --provider gw` and does what a person does in the browser. */
const signIn = async ({ home }: Setup) => {
  const child = home.spawn(["login", "--provider", "gw"], { env: { BROWSER: "none" } });
  const done = ended(child);
  const url = await new Promise<string>((resolve) => {
    let text = "";
    child.stderr.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const found = /^http\S+/mu.exec(text)?.[0];
      if (found !== undefined) resolve(found);
    });
  });
  const page = await fetch(url);
  return { ...(await done), url: new URL(url), page: await page.text() };
};

describe("login --provider", () => {
  it("signs in with a browser and keeps the tokens where Codex does", async () => {
    await using setup = await open();
    const { authority, home, storeFile } = setup;
    const { exitCode, page, stderr, url } = await signIn(setup);
    expect(exitCode).toBe(0);
    expect(stderr).toContain("Signed in to the gateway of gw");
    expect(page).toBe("Signed in to the gateway. You can close this page.\n");
    expect([...url.searchParams.keys()]).toEqual([
      "response_type",
      "client_id",
      "redirect_uri",
      "code_challenge",
      "code_challenge_method",
      "state",
      "scope",
    ]);
    const stored: Record<string, unknown> = JSON.parse(await readFile(storeFile, "utf8"));
    expect(Object.keys(stored)).toEqual([expect.stringMatching(/^provider-oauth\|[0-9a-f]{64}$/)]);
    expect(Object.values(stored)).toEqual([
      {
        access_token: expect.stringMatching(/^gw-access-/),
        authorization_id: expect.stringMatching(/^[\w-]{43}$/),
        refresh_token: expect.stringMatching(/^gw-refresh-/),
        expires_at: expect.any(Number),
      },
    ]);
    expect((await stat(storeFile)).mode & 0o777).toBe(0o600);
    const models = await home.run(["api", "/models"]);
    expect([models.exitCode, JSON.parse(models.stdout)]).toEqual([0, { object: "list", data: [] }]);
    expect(authority.requestsTo("gatewayModels")[0]?.headers["authorization"]).toMatch(
      /^Bearer gw-access-/,
    );
  });

  it("signs in with a device code", async () => {
    await using setup = await open();
    const { authority, home } = setup;
    const child = home.spawn(["login", "--provider", "gw", "--device-auth"]);
    const done = ended(child);
    const code = await new Promise<string>((resolve) => {
      let shown = "";
      child.stderr.on("data", (chunk: Buffer) => {
        shown += chunk.toString();
        const found = /^([\w-]{4})$/mu.exec(shown)?.[1];
        if (found !== undefined) resolve(found);
      });
    });
    await authority.waitForRequest("gatewayToken"); // too early: pending
    expect(authority.approveGatewayDevice(code)).toBe(true);
    const { stderr } = await done;
    const [request] = authority.requestsTo("gatewayToken");
    expect([...(request?.form().keys() ?? [])]).toEqual(["grant_type", "device_code", "client_id"]);
    expect(stderr).toContain("Signed in to the gateway of gw");
  });

  it("refuses a browser that comes back from another sign-in, and stores nothing", async () => {
    await using setup = await open();
    setup.authority.configure({ consent: "deny" });
    const { exitCode, stderr } = await signIn(setup);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("gateway sign-in failed for model provider gw: access_denied");
    await expect(readFile(setup.storeFile)).rejects.toThrow("ENOENT");
  });

  it("names what is missing for a provider without a gateway", async () => {
    await using home = await CliHome.make('[model_providers.own]\nname = "Own"\n');
    const { exitCode, stderr } = await home.run(["login", "--provider", "own"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("model provider own has no gateway to sign in to");
  });

  it("says before the browser opens that there is no keyring for the encrypted store", async () => {
    await using setup = await open();
    const args = ["-c", "model_providers.gw.gateway_oauth.credentials_store=keyring"];
    const env = { DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent" };
    const { exitCode, stderr } = await setup.home.run(["login", "--provider", "gw", ...args], {
      env,
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("secrets/gateway_oauth.age: ");
    expect(stderr).toContain(
      'or set credentials_store = "file" in gateway_oauth and sign in again.',
    );
    expect(setup.authority.requests).toEqual([]);
  });

  it("says which program and which key to change if redirect_port is taken", async () => {
    await using setup = await open();
    const { port } = new URL(setup.authority.url);
    const args = ["-c", `model_providers.gw.gateway_oauth.redirect_port=${port}`];
    const { exitCode, stderr } = await setup.home.run(["login", "--provider", "gw", ...args]);
    expect([exitCode, stderr]).toEqual([
      1,
      `Error logging in: gateway sign-in failed for model provider gw: another program uses port ${port} on 127.0.0.1 (redirect_port). Stop that program, or leave redirect_port out if the gateway accepts any port.\n`,
    ]);
  });

  it.skipIf(missingCapability !== undefined)(
    `names the system's error if redirect_port cannot be used${missingCapability ?? ""}`,
    async () => {
      await using setup = await open();
      const { home } = setup;
      const args = ["-c", "model_providers.gw.gateway_oauth.redirect_port=1"];
      const words = [...withoutLowPorts, ...agentAuth, "login", "--provider", "gw", ...args];
      const { exitCode, stderr } = await ended(spawn("setpriv", words, { env: home.env() }));
      expect([exitCode, stderr]).toEqual([
        1,
        "Error logging in: gateway sign-in failed for model provider gw: cannot listen on port 1 of 127.0.0.1 (redirect_port): EACCES. Use another redirect_port, or leave it out if the gateway accepts any port.\n",
      ]);
    },
  );

  it.each([
    "http://gateway.example/activate",
    "javascript://localhost/%0aalert(1)",
    "file:///etc/passwd",
    "https://bank.example@evil.example/activate",
    "activate",
  ])("neither shows nor opens %s as the page for a code", async (verificationUri) => {
    await using setup = await open();
    const body = { device_code: "d", user_code: "AB12", verification_uri: verificationUri };
    setup.authority.behave("gatewayDevice", {
      status: 200,
      body: JSON.stringify({ ...body, expires_in: 60 }),
    });
    const { exitCode, stderr } = await setup.home.run([
      "login",
      "--provider",
      "gw",
      "--device-auth",
    ]);
    expect([exitCode, stderr.includes("AB12"), stderr.includes(verificationUri)]).toEqual([
      1,
      false,
      false,
    ]);
    expect(stderr).toContain("the page for the code is not an https address (verification_uri)");
  });

  it("refuses a second sign-in while the first one waits", async () => {
    await using setup = await open();
    const { authority, home } = setup;
    const child = home.spawn(["login", "--provider", "gw", "--device-auth"]);
    const done = ended(child);
    await authority.waitForRequest("gatewayDevice");
    const second = await home.run(["login", "--provider", "gw"]);
    authority.approveAllGatewayDevices();
    expect([second.exitCode, (await done).exitCode]).toEqual([1, 0]);
    expect(second.stderr).toContain(
      "Another sign-in for this credential is in progress. Finish or cancel it, then retry.",
    );
  });
});

const status = async ({ home }: Setup, args: readonly string[] = []) => {
  const { exitCode, stdout } = await home.run(["login", "status", "--json", ...args]);
  const shown: { readonly gateways: unknown } = JSON.parse(stdout);
  return [exitCode, shown.gateways];
};

describe("login status --json", () => {
  it("shows each gateway, signed in or not", async () => {
    await using setup = await open();
    const none = { provider: "gw", signedIn: false, canRefresh: false, expiresAt: null };
    expect(await status(setup)).toEqual([1, [none]]);
    await signIn(setup);
    expect(await status(setup)).toEqual([
      0,
      [
        {
          provider: "gw",
          signedIn: true,
          canRefresh: true,
          expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}Z$/),
        },
      ],
    ]);
  });

  it("shows why a gateway's store cannot be read, beside the credential", async () => {
    await using setup = await open();
    await setup.home.writeAuth({ auth_mode: "apikey", OPENAI_API_KEY: "sk-proj-1234567890ABCDE" });
    await signIn(setup);
    await writeFile(setup.storeFile, "not JSON");
    expect(await status(setup)).toEqual([
      0,
      [
        expect.objectContaining({
          signedIn: false,
          error: expect.objectContaining({ code: "LOGIN_GATEWAY_STORE_UNUSABLE" }),
        }),
      ],
    ]);
  });
});

describe("a gateway's token", () => {
  it("is refreshed after a 401, stored, and the request repeated", async () => {
    await using setup = await open();
    const { authority, home, storeFile } = setup;
    await signIn(setup);
    const before = await readFile(storeFile, "utf8");
    authority.expireGatewayTokens();
    const { exitCode } = await home.run(["api", "/models"]);
    expect(exitCode).toBe(0);
    expect(await readFile(storeFile, "utf8")).not.toBe(before);
    expect(authority.requestsTo("gatewayModels").map(({ status }) => status)).toEqual([401, 200]);
    const [refresh] = authority.requestsTo("gatewayToken").slice(1);
    expect([...(refresh?.form().keys() ?? [])]).toEqual([
      "grant_type",
      "refresh_token",
      "client_id",
    ]);
  });

  it("is refreshed half a minute before it expires, once for many commands", async () => {
    await using setup = await open();
    const { authority, home } = setup;
    authority.configure({ accessTokenSeconds: 20 });
    await signIn(setup);
    authority.configure({ accessTokenSeconds: 3600 });
    const ran = await Promise.all([1, 2, 3].map(() => home.run(["api", "/models"])));
    expect(ran.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect(authority.count("gatewayToken")).toBe(2); // the sign-in and one refresh
  });

  it("that is refused for good asks for a new sign-in, and sends nothing without a token", async () => {
    await using setup = await open();
    const { authority, home } = setup;
    await signIn(setup);
    authority.revokeGatewaySignIns();
    const { exitCode, stderr } = await home.run(["api", "/models"]);
    expect(exitCode).toBe(4);
    expect(stderr).toContain("Run: agent-auth login --provider gw");
  });

  it.each([
    ["a header", 'delivery = { kind = "header", name = "X-Gateway-Auth" }', "x-gateway-auth"],
    [
      "a header with a scheme",
      'delivery = { kind = "header", name = "X-Gateway-Auth", scheme = "Bearer" }',
      "x-gateway-auth",
    ],
    ["a cookie", 'delivery = { kind = "cookie", name = "gateway_session" }', "cookie"],
  ])("goes beside the provider's own key in %s", async (_, delivery, header) => {
    await using setup = await open({ delivery, provider: 'env_key = "OWN_KEY"' });
    const { authority, home } = setup;
    await signIn(setup);
    const { exitCode } = await home.run(["api", "/models"], { env: { OWN_KEY: "own-1" } });
    expect(exitCode).toBe(0);
    const [request] = authority.requestsTo("gatewayModels");
    expect(request?.headers["authorization"]).toBe("Bearer own-1");
    expect(request?.headers[header]).toMatch(/gw-access-/);
  });

  it("may come from a command", async () => {
    await using home = await CliHome.make();
    await using authority = await startTestAuthority();
    authority.behave("gatewayModels", { status: 200, body: "{}" });
    await writeFile(
      join(home.path, "config.toml"),
      [
        'model_provider = "gw"',
        "[model_providers.gw]",
        `base_url = "${authority.url}/gateway/v1"`,
        "[model_providers.gw.gateway_oauth.credential_export]",
        `command = "${process.execPath}"`,
        `args = ["-p", "'exported-1'"]`,
      ].join("\n"),
    );
    expect((await home.run(["api", "/models"])).exitCode).toBe(0);
    expect(authority.requestsTo("gatewayModels")[0]?.headers["authorization"]).toBe(
      "Bearer exported-1",
    );
    for (const command of ["login", "logout"]) {
      const { exitCode, stderr } = await home.run([command, "--provider", "gw"]);
      expect([exitCode, stderr]).toEqual([
        1,
        expect.stringContaining(
          "a command prints the gateway token of model provider gw: there is no sign-in. To sign in instead, replace credential_export in [model_providers.gw.gateway_oauth] with authorization_url, token_url and client_id.",
        ),
      ]);
    }
    const doctor = await home.run(["doctor", "-c", `chatgpt_base_url=${authority.chatgptBaseUrl}`]);
    expect([doctor.exitCode, doctor.stdout]).toEqual([
      0,
      expect.stringContaining(
        "not signed in, and not needed: model provider gw has a token command\n",
      ),
    ]);
  });
});

describe("doctor", () => {
  it("fails if the gateway of the provider in use needs a sign-in, and only then", async () => {
    await using setup = await open();
    const url = `chatgpt_base_url=${setup.authority.chatgptBaseUrl}`;
    const before = await setup.home.run(["doctor", "-c", url]);
    expect([before.exitCode, before.stdout]).toEqual([
      1,
      expect.stringContaining(
        "fail  gateway       not signed in to the gateway of model provider gw\n                    Run: agent-auth login --provider gw\n",
      ),
    ]);
    const other = await setup.home.run(["doctor", "-c", url, "-c", "model_provider=openai"], {
      env: { CODEX_API_KEY: "sk-x" },
    });
    expect([other.exitCode, other.stdout]).toEqual([
      0,
      expect.stringContaining("warn  gateway       not signed in to the gateway of "),
    ]);
    await signIn(setup);
    const { exitCode, stdout } = await setup.home.run(["doctor", "-c", url]);
    expect(stdout).toContain(
      "not signed in, and not needed: model provider gw uses its gateway's sign-in\n",
    );
    expect(stdout).toContain("ok    gateway       signed in to the gateway of model provider gw\n");
    expect(exitCode).toBe(0);
  });

  it("only warns if OpenAI's backend cannot be reached, which the gateway does not use", async () => {
    await using setup = await open();
    await signIn(setup);
    const away = "chatgpt_base_url=http://127.0.0.1:9/backend-api";
    const { exitCode, stdout } = await setup.home.run(["doctor", "-c", away]);
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^warn {2}jwks /mu)]);
    const other = await setup.home.run(["doctor", "-c", away, "-c", "model_provider=openai"], {
      env: { CODEX_API_KEY: "sk-x" },
    });
    expect([other.exitCode, other.stdout]).toEqual([1, expect.stringMatching(/^fail {2}jwks /mu)]);
  });
});

describe("login status and logout", () => {
  it("show the gateways that are configured, and sign out of one", async () => {
    await using setup = await open();
    const { home, storeFile } = setup;
    const before = await home.run(["login", "status"]);
    expect(before.stderr).toBe(
      "Not logged in\nGateway of gw: not signed in. Run: agent-auth login --provider gw\n",
    );
    await signIn(setup);
    const after = await home.run(["login", "status"]);
    expect([after.exitCode, after.stderr]).toEqual([
      0,
      "Not logged in\nGateway of gw: signed in\n",
    ]);
    const out = await home.run(["logout", "--provider", "gw"]);
    expect([out.exitCode, out.stderr]).toEqual([0, "Signed out of the gateway of gw\n"]);
    expect(await readFile(storeFile, "utf8")).toBe("{}");
    const again = await home.run(["logout", "--provider", "gw"]);
    expect(again.stderr).toBe("Not signed in to the gateway of gw\n");
  });
});
