import {
  chmod,
  readdir,
  readFile,
  rename,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { HttpTransport } from "@agent-auth/agent-identity/http";
import type { Behaviour, TestAuthority, TestAuthorityOptions } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import * as Logger from "effect/Logger";
import * as Option from "effect/Option";
import { describe, expect, it } from "vitest";
import type { Credential, WorkspaceAccess } from "../../src/credential/index.ts";
import type { LoginError } from "../../src/errors/index.ts";
import { AuthManager, layerNoDeps } from "../../src/manager/index.ts";
import { layer as storeLayer } from "../../src/storage/configured.ts";
import { HomeLock } from "../../src/storage/lock/index.ts";
import {
  chatgptDocument,
  type Home,
  later,
  type Manager,
  managerOptions,
  openAuthority,
  openHome,
  type ManagerSetup,
  withManager as withManagerOf,
} from "./fixture.ts";

const HOUR_MS = 3_600_000;

const withManager = <A, E>(
  setup: ManagerSetup,
  use: (manager: Manager) => Effect.Effect<A, E>,
): Promise<A> =>
  withManagerOf({ ...setup, options: { workspaceChecks: true, ...setup.options } }, use);

/** A signed-in home of a workspace with this plan. */
const openWorkspace = async (options: TestAuthorityOptions = {}) => {
  const authority = await openAuthority({
    ...options,
    account: { accountId: "ws-1", userId: "user-1", planType: "team", ...options.account },
  });
  const home = await openHome();
  await home.write(await chatgptDocument(authority, { expiresInSeconds: 30 * 24 * 3_600 }));
  return { authority, home };
};

const openEnterprise = (settings: TestAuthorityOptions["settings"] = {}) =>
  openWorkspace({ account: { planType: "enterprise" }, settings });

const accessOf = (credential: Credential): WorkspaceAccess | undefined =>
  "workspace" in credential ? credential.workspace : undefined;

interface Setup {
  readonly home: Home;
  readonly authority: TestAuthority;
  readonly config?: ReadonlyArray<string>;
  readonly env?: Readonly<Record<string, string>>;
  readonly systemFolder?: string;
}

/** What a new process finds out, by a clock that is ahead. */
const ask = (setup: Setup, passedMs = 0): Promise<WorkspaceAccess | undefined> =>
  withManager(setup, (manager) =>
    Effect.map(later(passedMs, manager.current), (found) => accessOf(Option.getOrThrow(found))),
  );

const fail = (setup: Setup, passedMs = 0): Promise<LoginError> =>
  withManager(setup, (manager) => Effect.flip(later(passedMs, manager.current)));

const onlyFile = async (home: Home): Promise<string> => {
  const folder = join(home.path, "agent-auth");
  const [name = ""] = (await readdir(folder)).filter((file) => file.startsWith("workspace-"));
  return join(folder, name);
};

const redirect: Behaviour = { status: 307, headers: { location: "https://elsewhere.example/" } };

/** A manager whose requests get this status. */
const withStatus = async <A, E>(
  status: number,
  planType: "enterprise" | "team",
  use: (manager: Manager) => Effect.Effect<A, E>,
): Promise<A> => {
  const { home } = await openWorkspace({ account: { planType } });
  const options = await managerOptions({ home, options: { workspaceChecks: true } });
  const transport = HttpTransport.of({
    request: () => Effect.succeed({ status, statusText: "", headers: {}, body: "{}" }),
  });
  const { codexHome } = options.environment;
  return Effect.runPromise(
    AuthManager.use(use).pipe(
      Effect.provide(layerNoDeps(options)),
      Effect.provide(storeLayer({ mode: "file", codexHome })),
      Effect.provide(HomeLock.layerMemory),
      Effect.provideService(HttpTransport, transport),
    ),
  );
};

describe("the routing of a workspace", () => {
  it("is asked for once an hour by all processes of a CODEX_HOME", async () => {
    const { authority, home } = await openWorkspace();
    const first = await ask({ authority, home });
    expect(first).toEqual({
      checkAgainAtMs: expect.any(Number),
      name: expect.stringMatching(/^Workspace /),
    });
    await ask({ authority, home });
    await ask({ authority, home }, HOUR_MS - 10_000);
    expect(authority.count("accountsCheck")).toBe(1);
    await ask({ authority, home }, HOUR_MS + 1_000);
    expect(authority.count("accountsCheck")).toBe(2);
    expect(authority.count("configBundle")).toBe(0);
  });

  it("is asked for once by all callers of a process", async () => {
    const { authority, home } = await openWorkspace();
    await withManager({ authority, home }, (manager) =>
      Effect.all(
        Array.from({ length: 20 }, () => manager.current),
        { concurrency: "unbounded" },
      ),
    );
    expect(authority.count("accountsCheck")).toBe(1);
  });

  it("is asked for with the headers of a model request", async () => {
    const { authority, home } = await openWorkspace({ account: { isFedrampAccount: true } });
    await ask({ authority, home });
    const [request] = authority.requestsTo("accountsCheck");
    expect(request?.headers).toMatchObject({
      "chatgpt-account-id": "ws-1",
      "x-openai-fedramp": "true",
      originator: "codex_cli_rs",
    });
  });

  it("gives the credential the origin and the override", async () => {
    const { authority, home } = await openWorkspace({
      settings: {
        workspaceBackendOrigin: "https://eu.chatgpt.com",
        accountRoutingOverride: "us_cr",
      },
    });
    expect(await ask({ authority, home })).toMatchObject({
      origin: "https://eu.chatgpt.com",
      routingOverride: "us_cr",
    });
  });

  it.each([
    ["https://chatgpt.com", []],
    ["https://gov.chatgpt.com/", []],
    ["https://elsewhere.example", ['agent_auth.backend_origins=["https://elsewhere.example"]']],
  ])("is followed to %s", async (workspaceBackendOrigin, config) => {
    const { authority, home } = await openWorkspace({ settings: { workspaceBackendOrigin } });
    expect((await ask({ authority, home, config }))?.origin).toBe(
      new URL(workspaceBackendOrigin).origin,
    );
  });

  it("is followed to the configured backend itself", async () => {
    const { authority, home } = await openWorkspace();
    authority.configure({ workspaceBackendOrigin: authority.url });
    expect((await ask({ authority, home }))?.origin).toBe(authority.url);
  });

  it.each([
    ["https://elsewhere.example", "otherOrigin"],
    ["https://chatgpt.com.elsewhere.example", "otherOrigin"],
    ["https://notchatgpt.com", "otherOrigin"],
    ["https://chatgpt.com:8443", "otherOrigin"],
    ["https://chatgpt.com.", "otherOrigin"],
    ["https://xn--chtgpt-6ve.com", "otherOrigin"],
    ["https://ch\u0430tgpt.com", "notAnOrigin"],
    ["http://chatgpt.com", "notAnOrigin"],
    ["https://chatgpt.com/path", "notAnOrigin"],
    ["https://user@chatgpt.com", "notAnOrigin"],
    ["https://chatgpt.com?x", "notAnOrigin"],
    ["chatgpt.com", "notAnOrigin"],
    ["", "notAnOrigin"],
  ])("is refused to %j: %s", async (workspaceBackendOrigin, why) => {
    const { authority, home } = await openWorkspace({ settings: { workspaceBackendOrigin } });
    const error = await fail({ authority, home });
    expect(error).toMatchObject({ code: "LOGIN_WORKSPACE_ROUTING_REFUSED", why });
    expect(home.isSignedIn()).toBe(true);
  });

  it.each<[string, Behaviour, string]>([
    ["a redirect to another server", redirect, "redirect"],
    ["a page", { status: 200, body: "<html></html>" }, "it is not JSON"],
    ["two lists", { status: 200, body: '{"accounts":[],"accounts":[]}' }, "a duplicate name"],
  ])("fails closed if the backend responds with %s", async (_, behaviour, problem) => {
    const { authority, home } = await openWorkspace();
    authority.behave("accountsCheck", behaviour);
    const error = await fail({ authority, home });
    expect(error.code).toBe("LOGIN_WORKSPACE_CHECK_FAILED");
    expect(error.message).toContain(problem);
  });

  it("is refused if the override is unknown", async () => {
    const { authority, home } = await openWorkspace({
      settings: { accountRoutingOverride: "mars" },
    });
    expect(await fail({ authority, home })).toMatchObject({ why: "unknownOverride" });
  });

  it("is refused if the response does not list the workspace", async () => {
    const { authority, home } = await openWorkspace();
    authority.behave("accountsCheck", { status: 200, body: { accounts: [] } });
    expect(await fail({ authority, home })).toMatchObject({ why: "missingWorkspace" });
  });

  it("is refused if the response does not name an origin", async () => {
    const { authority, home } = await openWorkspace();
    const accounts = [{ id: "ws-1", account_routing_override: "us" }];
    authority.behave("accountsCheck", { status: 200, body: { accounts } });
    expect(await fail({ authority, home })).toMatchObject({ why: "missingOrigin" });
  });

  it("is asked for again after a refusal, so that a correction counts", async () => {
    const { authority, home } = await openWorkspace({
      settings: { accountRoutingOverride: "mars" },
    });
    await fail({ authority, home });
    authority.configure({ accountRoutingOverride: "us" });
    expect((await ask({ authority, home }))?.routingOverride).toBe("us");
  });

  it("does not exist if a self-hosted backend does not know the path", async () => {
    const { authority, home } = await openWorkspace();
    authority.behave("accountsCheck", { status: 404 });
    expect(await ask({ authority, home })).toEqual({ checkAgainAtMs: expect.any(Number) });
    expect(authority.count("accountsCheck")).toBe(1);
  });

  it("fails if the backend does not respond and did not before", async () => {
    const { authority, home } = await openWorkspace();
    authority.behave("accountsCheck", { status: 503 });
    expect(await fail({ authority, home })).toMatchObject({
      code: "LOGIN_WORKSPACE_CHECK_FAILED",
      message: `cannot load the routing of workspace ws-1 from ${authority.url}: it responded with status 503`,
      remedy: "retry",
    });
    expect(authority.count("accountsCheck")).toBe(3);
  });

  it("is taken from an older answer for a day while the backend does not respond", async () => {
    const { authority, home } = await openWorkspace({ settings: { accountRoutingOverride: "us" } });
    await ask({ authority, home });
    authority.behave("accountsCheck", { status: 503 });
    const warnings: Array<string> = [];
    const logger = Logger.make(({ message }) => void warnings.push([message].flat().join(" ")));
    const access = await withManager({ authority, home }, (manager) =>
      Effect.map(later(23 * HOUR_MS, manager.current), (found) =>
        accessOf(Option.getOrThrow(found)),
      ).pipe(Effect.provideService(Logger.CurrentLoggers, new Set([logger]))),
    );
    expect(access?.routingOverride).toBe("us");
    expect(warnings).toEqual([
      `cannot load the routing of workspace ws-1 from ${authority.url}: it responded with status 503; the answer of 1380 minutes ago is used until the backend responds, for a day at most`,
    ]);
    const error = await fail({ authority, home }, 24 * HOUR_MS + 10_000);
    expect(error.code).toBe("LOGIN_WORKSPACE_CHECK_FAILED");
  });

  it("is not taken from an older answer if the backend refuses the caller", async () => {
    const { authority, home } = await openWorkspace();
    await ask({ authority, home });
    authority.behave("accountsCheck", { status: 403 });
    expect(await fail({ authority, home }, 2 * HOUR_MS)).toMatchObject({
      code: "LOGIN_WORKSPACE_CHECK_FAILED",
      remedy: "contactAdmin",
    });
  });

  it("refreshes an access token that the backend rejects, once", async () => {
    const { authority, home } = await openWorkspace();
    authority.behave("accountsCheck", { status: 401 }, { times: 1 });
    expect(await ask({ authority, home })).toBeDefined();
    expect([authority.count("refresh"), authority.count("accountsCheck")]).toEqual([1, 2]);
  });

  it("is not asked for if model requests go elsewhere", async () => {
    const { authority, home } = await openWorkspace();
    const config = ["openai_base_url='https://gateway.example/v1'"];
    await ask({ authority, home, config });
    const provider = [
      "model_provider=a",
      `model_providers.a={base_url="https://gateway.example/v1", requires_openai_auth=true}`,
    ];
    await ask({ authority, home, config: provider });
    expect(authority.requests).toEqual([]);
  });

  it.each(["an API key", "an agent identity"])("is not asked for with %s", async (kind) => {
    const authority = await openAuthority();
    const home = await openHome();
    const env =
      kind === "an API key"
        ? { CODEX_API_KEY: authority.addApiKey() }
        : { CODEX_AGENT_IDENTITY: await authority.mintAgentIdentityJwt({}) };
    expect(await ask({ authority, home, env })).toBeUndefined();
    expect(authority.count("accountsCheck") + authority.count("configBundle")).toBe(0);
  });

  it("is asked for with a personal access token", async () => {
    const authority = await openAuthority({ settings: { accountRoutingOverride: "us" } });
    const home = await openHome();
    const env = { CODEX_ACCESS_TOKEN: authority.mintPersonalAccessToken() };
    expect((await ask({ authority, home, env }))?.routingOverride).toBe("us");
  });

  it("is not asked for by a program that switches the checks off", async () => {
    const { authority, home } = await openWorkspace();
    const options = { workspaceChecks: false };
    await withManager({ authority, home, options }, (manager) => manager.current);
    expect(authority.requests).toEqual([]);
  });
});

describe("requestSnapshot", () => {
  it("is none until the workspace was checked, and then has the workspace", async () => {
    const { authority, home } = await openWorkspace();
    await withManager({ authority, home }, (manager) =>
      Effect.gen(function* () {
        expect(Option.isSome(manager.snapshot())).toBe(true);
        expect(Option.isNone(manager.requestSnapshot())).toBe(true);
        yield* manager.current;
        expect(accessOf(Option.getOrThrow(manager.requestSnapshot()))).toBeDefined();
        expect(accessOf(Option.getOrThrow(manager.snapshot()))).toBeUndefined();
      }),
    );
  });
});

describe("the stored answers", () => {
  it("belong to their owner, and to one account", async () => {
    const { authority, home } = await openWorkspace();
    await ask({ authority, home });
    const file = await onlyFile(home);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const other = authority.createAccount({ accountId: "ws-2", userId: "user-1" });
    await home.write(await chatgptDocument(authority, { account: other }));
    await ask({ authority, home });
    expect(authority.count("accountsCheck")).toBe(2);
  });

  it("are removed by a logout, and when they are a day old", async () => {
    const { authority, home } = await openEnterprise();
    const stored = async () =>
      (await readdir(join(home.path, "agent-auth"))).filter((name) =>
        name.startsWith("workspace-"),
      );
    await ask({ authority, home });
    const old = "workspace-routing-0123456789abcdef.json";
    const path = join(home.path, "agent-auth", old);
    await writeFile(path, "{}", { mode: 0o600 });
    const dayAgo = Date.now() / 1000 - 25 * 3_600;
    await utimes(path, dayAgo, dayAgo);
    await ask({ authority, home }, HOUR_MS);
    expect([(await stored()).length, (await stored()).includes(old)]).toEqual([2, false]);
    await withManager({ authority, home }, (manager) => manager.logout);
    expect(await stored()).toEqual([]);
  });

  it("are not used if another user could have written them, or if they are damaged", async () => {
    const { authority, home } = await openWorkspace();
    await ask({ authority, home });
    const file = await onlyFile(home);
    await chmod(file, 0o666);
    await ask({ authority, home });
    expect(authority.count("accountsCheck")).toBe(2);
    await writeFile(await onlyFile(home), "{");
    await ask({ authority, home });
    expect(authority.count("accountsCheck")).toBe(3);
  });

  it.each<[string, (file: string, text: string) => Promise<unknown>]>([
    [
      "are from the future",
      (file, text) =>
        writeFile(file, text.replace(/"askedAtMs":\d+/, `"askedAtMs":${Date.now() + HOUR_MS}`)),
    ],
    [
      "are of another account",
      (file, text) => writeFile(file, text.replace('"accountId":"ws-1"', '"accountId":"ws-2"')),
    ],
    [
      "are of another backend",
      (file, text) => writeFile(file, text.replace("http://", "https://")),
    ],
    [
      "are reached by a link",
      async (file) => {
        await rename(file, `${file}.moved`);
        await symlink(`${file}.moved`, file);
      },
    ],
  ])("are not used if they %s", async (_, change) => {
    const { authority, home } = await openWorkspace();
    await ask({ authority, home });
    const file = await onlyFile(home);
    await change(file, await readFile(file, "utf8"));
    await ask({ authority, home });
    expect(authority.count("accountsCheck")).toBe(2);
  });
});

describe("the policy of a workspace", () => {
  it("is asked for once an hour, before anything else", async () => {
    const { authority, home } = await openEnterprise();
    await ask({ authority, home });
    await ask({ authority, home });
    expect(authority.requests.map(({ endpoint }) => endpoint)).toEqual([
      "configBundle",
      "accountsCheck",
    ]);
    await ask({ authority, home }, HOUR_MS + 1_000);
    expect(authority.count("configBundle")).toBe(2);
  });

  it.each(["free", "plus", "pro", "team", "self_serve_business_usage_based", "unknown"] as const)(
    "is not asked for on the plan %s",
    async (planType) => {
      const { authority, home } = await openWorkspace({ account: { planType } });
      await ask({ authority, home });
      expect(authority.count("configBundle")).toBe(0);
    },
  );

  it.each([
    [
      { managedRequirements: 'allowed_login_methods = ["api"]' },
      'allowed_login_methods in the workspace policy "Managed requirements" does not allow ChatGPT sign-ins and access tokens',
    ],
    [
      { managedRequirements: 'allowed_chatgpt_workspaces = ["ws-9"]' },
      'allowed_chatgpt_workspaces in the workspace policy "Managed requirements" does not allow workspace ws-1',
    ],
    [
      { managedConfig: 'forced_login_method = "api"' },
      'forced_login_method in the workspace policy "Managed configuration" does not allow ChatGPT sign-ins and access tokens',
    ],
  ])("forbids the credential, which is kept: %j", async (settings, message) => {
    const { authority, home } = await openEnterprise(settings);
    const error = await fail({ authority, home });
    expect(error).toMatchObject({ code: "LOGIN_FORBIDDEN_BY_ADMINISTRATOR", message });
    expect(home.isSignedIn()).toBe(true);
    expect(authority.count("accountsCheck")).toBe(0);
    const found = await withManager({ authority, home }, (manager) => manager.inspect);
    expect(Option.getOrThrow(found).forbidden?.message).toBe(message);
  });

  it("has a lower forced_login_method than the machine's configuration, as in Codex", async () => {
    const { authority, home } = await openEnterprise({
      managedConfig: 'forced_login_method = "api"',
    });
    const config = ["forced_login_method=chatgpt"];
    expect(await ask({ authority, home, config })).toBeDefined();
  });

  it("requires a residency", async () => {
    const { authority, home } = await openEnterprise({
      managedRequirements: 'enforce_residency = "us"',
    });
    expect(await ask({ authority, home })).toMatchObject({ residency: "us" });
  });

  it.each([
    [{ managedRequirements: 'cli_auth_credentials_store = "keyring"' }, [], "keyring"],
    [{ managedRequirements: 'chatgpt_base_url = "https://own.example"' }, [], "own.example"],
    [
      { managedRequirements: 'model_provider = "openai"' },
      ["model_provider=a", "model_providers.a={}"],
      "openai",
    ],
    [{ managedConfig: 'openai_base_url = "https://gateway.example"' }, [], "gateway.example"],
    [
      { managedRequirements: '[model_providers.openai]\nbase_url = "https://gateway.example"' },
      [],
      undefined,
    ],
  ])("must agree with the machine's configuration: %j with %j", async (settings, config, value) => {
    const { authority, home } = await openEnterprise(settings);
    const error = await fail({ authority, home, config });
    expect(error).toMatchObject({
      code: "LOGIN_WORKSPACE_POLICY_CONFLICT",
      remedy: "fixConfig",
      hint: expect.stringContaining(value ?? "to the value of the policy"),
    });
  });

  it("leaves a key that the machine's configuration sets", async () => {
    const { authority, home } = await openEnterprise({
      managedConfig: 'openai_base_url = "https://gateway.example"',
    });
    const config = [`openai_base_url='${authority.chatgptBaseUrl}/codex'`];
    expect(await ask({ authority, home, config })).toBeDefined();
  });

  it.each([
    [{ managedRequirements: "a = [" }, "LOGIN_CONFIG_SYNTAX"],
    [{ managedConfig: "a = [" }, "LOGIN_CONFIG_SYNTAX"],
    [{ managedRequirements: "allowed_auth_modes = 1" }, "LOGIN_CONFIG_KEY_INVALID"],
    [{ managedConfig: "forced_login_method = 1" }, "LOGIN_CONFIG_KEY_INVALID"],
  ])(
    "stops everything if it cannot be understood, until it is corrected: %j",
    async (bad, code) => {
      const { authority, home } = await openEnterprise(bad);
      const error = await fail({ authority, home });
      expect(error).toMatchObject({ code, remedy: "contactAdmin" });
      expect(error.message).toContain('the workspace policy "Managed');
      authority.configure({ managedRequirements: null, managedConfig: null });
      expect(await ask({ authority, home })).toBeDefined();
    },
  );

  it("fails closed if the backend does not respond", async () => {
    const { authority, home } = await openEnterprise();
    authority.behave("configBundle", { status: 500 });
    const error = await fail({ authority, home });
    expect(error.message).toBe(
      `cannot load the policy of workspace ws-1 from ${authority.url}: it responded with status 500`,
    );
    expect(authority.count("accountsCheck")).toBe(0);
  });

  it.each<[string, Behaviour, string]>([
    ["an error", { status: 200, body: { error: "x" } }, "config_toml, requirements_toml missing"],
    ["nothing", { status: 200, body: "" }, "it is not JSON"],
    ["a list", { status: 200, body: [] }, "it is not a JSON object"],
    ["a page", { status: 200, body: "<html></html>" }, "it is not JSON"],
    ["half of it", { status: 200, body: { config_toml: null } }, "requirements_toml missing"],
    [
      "two policies",
      {
        status: 200,
        body: '{"config_toml":null,"requirements_toml":{"enterprise_managed":[{"contents":"x"}]},"requirements_toml":null}',
      },
      "it has a duplicate name",
    ],
    [
      "a policy in its __proto__",
      { status: 200, body: '{"__proto__":{"config_toml":null,"requirements_toml":null}}' },
      "config_toml, requirements_toml missing",
    ],
    [
      "fragments of an unknown kind",
      {
        status: 200,
        body: { config_toml: null, requirements_toml: { user_managed: [{ contents: "a = 1" }] } },
      },
      "requirements_toml.user_managed missing or of the wrong type",
    ],
    ["JSON that is nested deep", { status: 200, body: "[".repeat(500_000) }, "it is not JSON"],
    ["100 MB", { oversizedBytes: 100_000_000 }, "larger than 1048576 bytes"],
    ["a redirect to another server", redirect, "redirect"],
  ])("fails closed if the backend responds with %s", async (_, behaviour, problem) => {
    const { authority, home } = await openEnterprise();
    authority.behave("configBundle", behaviour);
    const error = await fail({ authority, home });
    expect(error.code).toBe("LOGIN_WORKSPACE_CHECK_FAILED");
    expect(error.message).toContain(problem);
    expect(authority.count("accountsCheck")).toBe(0);
  });

  it("is enforced from the stored answer while the backend does not respond", async () => {
    const { authority, home } = await openEnterprise();
    await ask({ authority, home });
    authority.behave("configBundle", "reset");
    expect(await ask({ authority, home }, 5 * HOUR_MS)).toBeDefined();
  });

  it("does not exist at a self-hosted backend that does not know the path", async () => {
    const { authority, home } = await openEnterprise();
    authority.behave("configBundle", { status: 404 });
    expect(await ask({ authority, home })).toBeDefined();
  });
});

describe("OpenAI's backend", () => {
  it.each([
    ["enterprise", "policy"],
    ["team", "routing"],
  ] as const)(
    "has an answer for every workspace, so that a 404 is an error: %s",
    async (plan, what) => {
      const error = await withStatus(404, plan, (manager) => Effect.flip(manager.current));
      expect(error).toMatchObject({
        code: "LOGIN_WORKSPACE_CHECK_FAILED",
        what,
        origin: "https://chatgpt.com",
        status: 404,
      });
    },
  );
});

describe("inspect", () => {
  it("sends nothing, and shows what an earlier request found out", async () => {
    const { authority, home } = await openWorkspace({ settings: { accountRoutingOverride: "us" } });
    const inspect = () =>
      withManager({ authority, home, options: { loadAtStart: false } }, (it) => it.inspect);
    expect(Option.getOrThrow(await inspect()).workspace).toBeUndefined();
    expect(authority.requests).toEqual([]);
    await ask({ authority, home });
    expect(Option.getOrThrow(await inspect()).workspace).toMatchObject({ routingOverride: "us" });
    expect(authority.count("accountsCheck")).toBe(1);
  });
});
