import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Endpoint, Platform, TestAuthority } from "@agent-auth/test-authority";
import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import type { Variables } from "../../src/config/environment.ts";
import type { IdentitySourceName } from "../../src/credential/index.ts";
import { startProxy } from "../support/proxy.ts";
import { openAuthority, openHome, withManager } from "../manager/fixture.ts";

const audience = "https://api.openai.com/v1";

interface Source {
  readonly authority: TestAuthority;
  readonly folder: string;
  readonly load: (env?: Variables, keys?: Readonly<Record<string, string>>) => Promise<string>;
  readonly failure: (
    env?: Variables,
    keys?: Readonly<Record<string, string>>,
  ) => Promise<{ readonly message: string; readonly hint: string; readonly remedy: string }>;
}

/** A home whose configuration chooses a source, and a rule that accepts its audience and nothing else. */
const open = async (
  source: IdentitySourceName,
  usual: Readonly<Record<string, string>> = { audience },
): Promise<Source> => {
  const home = await openHome();
  const authority = await openAuthority();
  const rule = authority.addFederationRule({ audience });
  const setup = (env: Variables, keys: Readonly<Record<string, string>>) => ({
    home,
    authority,
    env,
    config: Object.entries({
      source,
      federation_rule_id: rule,
      token_url: `${authority.url}/oauth/token`,
      ...usual,
      ...keys,
    }).map(([key, value]) => `agent_auth.workload_identity.${key}="${value}"`),
  });
  return {
    authority,
    folder: home.path,
    load: async (env = {}, keys = {}) =>
      (await withManager(setup(env, keys), (manager) => manager.current))._tag,
    failure: async (env = {}, keys = {}) =>
      await withManager(setup(env, keys), (manager) => Effect.flip(manager.current)),
  };
};

const platforms: ReadonlyArray<readonly [Platform, Endpoint]> = [
  ["github-actions", "githubIdToken"],
  ["buildkite", "buildkiteIdToken"],
  ["gce", "gceIdToken"],
];

describe.each(platforms)("the source %s", (source, endpoint) => {
  it("gets a token for the configured audience, with one request for each exchange", async () => {
    const { authority, load } = await open(source);
    expect(await load(authority.platformVariables(source))).toBe("Some");
    expect(authority.requests.map(({ endpoint }) => endpoint)).toEqual([
      endpoint,
      "workloadExchange",
    ]);
  });

  it("needs an audience", async () => {
    const { authority, failure } = await open(source, {});
    const error = await failure(authority.platformVariables(source));
    expect(error.message).toBe(`${source}: the audience of the identity token is not configured`);
    expect(error.remedy).toBe("fixConfig");
    expect(authority.requests).toEqual([]);
  });

  it("shows no text of a response, and follows no redirect", async () => {
    const { authority, failure } = await open(source);
    const headers = { "metadata-flavor": "Google", location: authority.url };
    authority.behave(endpoint, { status: 307, headers, body: "canary" });
    const error = await failure(authority.platformVariables(source));
    expect(error.message).toContain("responded with status 307");
    expect(JSON.stringify(error)).not.toContain("canary");
    expect(authority.requests).toHaveLength(1);
  });

  it("refuses a response without a token", async () => {
    const { authority, failure } = await open(source);
    const headers = { "metadata-flavor": "Google" };
    authority.behave(endpoint, { status: 200, headers, body: " " });
    expect((await failure(authority.platformVariables(source))).message).toMatch(
      /has no token|assertion is invalid/,
    );
    expect(authority.count("workloadExchange")).toBe(0);
  });

  it("refuses a response that never ends", async () => {
    const { authority, failure } = await open(source);
    authority.behave(endpoint, { oversizedBytes: 200_000 });
    expect((await failure(authority.platformVariables(source))).message).toMatch(
      /too long|larger than 65536 bytes/,
    );
  });

  it.each([
    ["an error page", async () => "<html><body>error</body></html>", "is not a JWT"],
    ["an error", async () => '{"error":"invalid"}', "is not a JWT"],
    [
      "an expired token",
      (authority: TestAuthority) => authority.mintIdentityToken({ audience, expiresInSeconds: -1 }),
      "has expired",
    ],
    [
      "a token whose expiry is text",
      (authority: TestAuthority) =>
        authority.mintIdentityToken({ audience, claims: { exp: "9999999999" } }),
      "does not say when it expires",
    ],
    [
      "a token for another audience",
      (authority: TestAuthority) => authority.mintIdentityToken({ audience: "https://x.example" }),
      `was not issued for the audience ${audience}`,
    ],
  ])("sends nothing on if the platform responds with %s", async (_, answer, problem) => {
    const { authority, failure } = await open(source);
    const token = await answer(authority);
    const headers = { "metadata-flavor": "Google" };
    const body = source === "gce" ? token : { value: token, token };
    authority.behave(endpoint, { status: 200, headers, body });
    const error = await failure(authority.platformVariables(source));
    expect(error.message).toBe(`${source}: the identity token ${problem}`);
    expect(authority.count("workloadExchange")).toBe(0);
  });

  it("says so if a failure may be temporary", async () => {
    const { authority, failure } = await open(source);
    authority.behave(endpoint, { status: 503, headers: { "metadata-flavor": "Google" } });
    expect((await failure(authority.platformVariables(source))).remedy).toBe("retry");
  });
});

describe("GitHub Actions", () => {
  it.each(["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"])(
    "without %s names the permission that the job lacks",
    async (missing) => {
      const { authority, failure } = await open("github-actions");
      const env = { ...authority.platformVariables("github-actions"), [missing]: "" };
      expect(await failure(env)).toMatchObject({
        message: `github-actions: ${missing} is not set`,
        hint: "Give the job the permission `id-token: write`.",
        remedy: "fixEnvironment",
      });
    },
  );

  it("keeps the query of the URL, and adds the audience", async () => {
    const { authority, load } = await open("github-actions");
    await load(authority.platformVariables("github-actions"));
    const [request] = authority.requestsTo("githubIdToken");
    expect(String(request?.query)).toBe(`api-version=2.0&audience=${encodeURIComponent(audience)}`);
  });

  it.each([
    ["plain http", "http://actions.example/token"],
    ["a user name", "https://user@actions.example/token"],
    ["a fragment", "https://actions.example/token#x"],
  ])("refuses a URL with %s, and sends nothing", async (_, url) => {
    const { authority, failure } = await open("github-actions");
    const env = {
      ...authority.platformVariables("github-actions"),
      ACTIONS_ID_TOKEN_REQUEST_URL: url,
    };
    expect((await failure(env)).message).toContain("is not an https URL");
  });

  it("reports a request token that GitHub refuses", async () => {
    const { authority, failure } = await open("github-actions");
    const env = {
      ...authority.platformVariables("github-actions"),
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "expired",
    };
    const error = await failure(env);
    expect(error.message).toContain("responded with status 401");
    expect(JSON.stringify(error)).not.toContain("expired");
  });
});

describe("the metadata servers", () => {
  it("of Azure issue a token for an audience and a client id", async () => {
    const { authority, load } = await open("azure-imds", { audience, client_id: "client-1" });
    expect(await load({}, { endpoint: authority.url })).toBe("Some");
    const [request] = authority.requestsTo("azureIdToken");
    expect(request?.headers["metadata"]).toBe("true");
    expect(Object.fromEntries(request?.query ?? [])).toEqual({
      "api-version": "2018-02-01",
      resource: audience,
      client_id: "client-1",
    });
  });

  it("of Azure say that no identity is assigned", async () => {
    const { authority, failure } = await open("azure-imds");
    authority.behave("azureIdToken", { status: 400, body: '{"error":"invalid_request"}' });
    const error = await failure({}, { endpoint: authority.url });
    expect(error.message).toBe("azure-imds: the metadata service responded with status 400");
    expect(error.hint).toContain("managed identity");
  });

  it.each([
    ["an error page", async () => "<html><body>error</body></html>", "assertion is invalid"],
    ["an error", async () => ({ error: "invalid_request" }), "assertion is invalid"],
    [
      "a text that is not a token",
      async () => ({ access_token: "error", expires_in: "3600" }),
      "is not a JWT",
    ],
    [
      "an expired token that claims a long life",
      async (authority: TestAuthority) => ({
        access_token: await authority.mintIdentityToken({ audience, expiresInSeconds: -1 }),
        expires_in: "99999999999",
      }),
      "has expired",
    ],
  ])("of Azure that respond with 200 and %s are not believed", async (_, answer, problem) => {
    const { authority, failure } = await open("azure-imds");
    authority.behave("azureIdToken", { status: 200, body: await answer(authority) });
    expect((await failure({}, { endpoint: authority.url })).message).toContain(problem);
    expect(authority.count("workloadExchange")).toBe(0);
  });

  it.each(["gce", "azure-imds"] as const)(
    "of %s are never asked through a proxy",
    async (source) => {
      const { authority, load } = await open(source);
      await using proxy = await startProxy();
      const env = { http_proxy: `http://${proxy.url}`, HTTPS_PROXY: `http://${proxy.url}` };
      await load(env, { endpoint: authority.url });
      expect(proxy.seen).toEqual([]);
    },
  );

  it.each(["gce", "azure-imds"] as const)(
    "of %s are asked at addresses of metadata servers only",
    async (source) => {
      const { failure } = await open(source);
      const error = await failure({}, { endpoint: "http://attacker.example" });
      expect(error.message).toBe(
        `${source}: attacker.example is not the address of a metadata server`,
      );
      expect(error.remedy).toBe("fixConfig");
    },
  );

  it("of Google Cloud identify themselves", async () => {
    const { authority, failure } = await open("gce");
    authority.behave("gceIdToken", { status: 200, body: "token" });
    const { host } = new URL(authority.url);
    expect((await failure({ GCE_METADATA_HOST: host })).message).toBe(
      `gce: ${host} is not the metadata server of Google Cloud`,
    );
  });

  it("that are not there are reported with what is needed", async () => {
    const { failure } = await open("gce");
    const error = await failure({ GCE_METADATA_HOST: "127.0.0.1:9" });
    expect(error.message).toBe("gce: no response of the metadata server 127.0.0.1:9: ECONNREFUSED");
    expect(error.hint).toContain("Run this program on Google Cloud");
  });
});

const mounted: ReadonlyArray<readonly [IdentitySourceName, string]> = [
  ["azure-federated-token", "AZURE_FEDERATED_TOKEN_FILE"],
  ["aws-web-identity", "AWS_WEB_IDENTITY_TOKEN_FILE"],
];

describe.each(mounted)("the source %s", (source, variable) => {
  it("reads the file that the platform names", async () => {
    const { authority, folder, load } = await open(source);
    const path = join(folder, "token");
    await writeFile(path, await authority.mintIdentityToken());
    expect(await load({ [variable]: path })).toBe("Some");
  });

  it("names the variable that is missing", async () => {
    const { failure } = await open(source);
    const error = await failure();
    expect(error.message).toBe(`${source}: ${variable} is not set`);
    expect(error.remedy).toBe("fixEnvironment");
  });

  it("names the file that cannot be read", async () => {
    const { failure, folder } = await open(source);
    const path = join(folder, "missing");
    const error = await failure({ [variable]: path });
    expect(error.message).toBe(`could not read workload identity assertion file ${path}`);
    expect(error.hint).toContain("Reason: there is no such file or folder. ");
  });
});

describe("Kubernetes", () => {
  it("projects a token, which is read anew after it was replaced", async () => {
    const { authority, folder, load } = await open("kubernetes");
    await mkdir(join(folder, "tokens"));
    const path = join(folder, "tokens/openai");
    await writeFile(path, await authority.mintIdentityToken());
    expect(await load({}, { token_file: path })).toBe("Some");
  });

  it("needs the path of a projected token", async () => {
    const { failure } = await open("kubernetes");
    expect((await failure()).message).toBe(
      "kubernetes: agent_auth.workload_identity.token_file is not set",
    );
  });

  it("keeps its credential for the API server", async () => {
    const { failure } = await open("kubernetes");
    const path = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    expect((await failure({}, { token_file: path })).message).toBe(
      `kubernetes: ${path} is the credential for the API server of the cluster and is not sent elsewhere`,
    );
  });

  it.each([
    ["the folder that /var/run is a link to", "kubernetes", (token: string) => token],
    ["a link of another name", "kubernetes", (_: string, link: string) => link],
    ["the variable of AKS", "azure-federated-token", (_: string, link: string) => link],
    ["the variable of EKS", "aws-web-identity", (token: string) => token],
  ] as const)("keeps it as well if it is reached by %s", async (_, source, choose) => {
    const { authority, failure, folder } = await open(source);
    const mounted = join(folder, "secrets/kubernetes.io/serviceaccount");
    await mkdir(join(mounted, "..2026_11_30"), { recursive: true });
    await writeFile(join(mounted, "..2026_11_30/token"), await authority.mintIdentityToken());
    await symlink("..2026_11_30", join(mounted, "..data"));
    await symlink("..data/token", join(mounted, "token"));
    const link = join(folder, "link");
    await symlink(join(mounted, "token"), link);
    const path = choose(join(mounted, "token"), link);
    expect((await failure({}, { token_file: path })).message).toBe(
      `${source}: ${path} is the credential for the API server of the cluster and is not sent elsewhere`,
    );
    expect(authority.requests).toEqual([]);
  });

  it.each([
    ["has expired", { expiresInSeconds: -10 }, "kubernetes: the identity token has expired"],
    [
      "is for another audience",
      { audience: "https://kubernetes.default.svc" },
      `kubernetes: the identity token was not issued for the audience ${audience}`,
    ],
  ])("sends no token that %s", async (_, minted, message) => {
    const { authority, failure, folder } = await open("kubernetes");
    const path = join(folder, "token");
    await writeFile(path, await authority.mintIdentityToken(minted));
    expect((await failure({}, { token_file: path })).message).toBe(message);
    expect(authority.requests).toEqual([]);
  });
});

const expired = (authority: TestAuthority) =>
  authority.mintIdentityToken({ audience, expiresInSeconds: -10 });

describe("the hint for an expired token", () => {
  const once =
    "The job gets one token when it starts: use it earlier in the job, or split the job.";
  const replaced =
    "The platform replaces the file before the token expires: check that it still does, and the clock of this machine.";

  it.each([
    ["gitlab-ci", "OPENAI_ID_TOKEN"],
    ["circleci", "CIRCLE_OIDC_TOKEN"],
  ] as const)("of %s says that a job gets only one", async (source, variable) => {
    const { authority, failure } = await open(source);
    const env = { [variable]: await expired(authority) };
    expect(await failure(env)).toMatchObject({
      message: `${source}: the identity token has expired`,
      hint: once,
    });
  });

  it.each([
    ["kubernetes", undefined],
    ["azure-federated-token", "AZURE_FEDERATED_TOKEN_FILE"],
    ["aws-web-identity", "AWS_WEB_IDENTITY_TOKEN_FILE"],
  ] as const)("of %s says that the file is not replaced", async (source, variable) => {
    const { authority, failure, folder } = await open(source);
    const path = join(folder, "token");
    await writeFile(path, await expired(authority));
    const found =
      variable === undefined ? failure({}, { token_file: path }) : failure({ [variable]: path });
    expect((await found).hint).toBe(replaced);
  });

  it("of a platform that is asked for each token names the clock", async () => {
    const { authority, failure } = await open("github-actions");
    const value = await expired(authority);
    authority.behave("githubIdToken", { status: 200, body: { value } });
    expect(await failure(authority.platformVariables("github-actions"))).toMatchObject({
      message: "github-actions: the identity token has expired",
      hint: "Check the clock of this machine.",
    });
  });
});

describe("a variable of the job", () => {
  it("has the token in GitLab CI, under the name of the id_tokens keyword", async () => {
    const { authority, load } = await open("gitlab-ci");
    const token = await authority.mintIdentityToken({ audience: [audience, "other"] });
    expect(await load({ OPENAI_ID_TOKEN: token })).toBe("Some");
    expect(await load({ MY_TOKEN: token }, { token_variable: "MY_TOKEN" })).toBe("Some");
  });

  it("is missing in GitLab CI without the keyword, and the hint shows it", async () => {
    const { failure } = await open("gitlab-ci");
    expect(await failure()).toMatchObject({
      message: "gitlab-ci: OPENAI_ID_TOKEN is not set",
      hint: `Add to the job: id_tokens: { OPENAI_ID_TOKEN: { aud: "${audience}" } }`,
    });
  });

  it.each(["CIRCLE_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2"])(
    "has the token in CircleCI: %s",
    async (name) => {
      const { authority, load } = await open("circleci");
      expect(await load({ [name]: await authority.mintIdentityToken() })).toBe("Some");
    },
  );

  it("is missing in CircleCI without a context, and the hint says so", async () => {
    const { failure } = await open("circleci", {});
    const error = await failure();
    expect(error.message).toBe("circleci: CIRCLE_OIDC_TOKEN is not set");
    expect(error.hint).toContain("Use a context in the job");
  });
});
