import { inspect } from "node:util";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { describe, expect, it } from "vitest";
import { requestTarget, resolveProvider } from "../src/provider/index.ts";
import { agent, apiKey, bearer, chatgpt, personalAccessToken } from "./support/credentials.ts";
import {
  environment,
  providerAt,
  type ProviderSettings,
  settings,
  table,
} from "./support/providers.ts";

const resolve = (
  more: Partial<ProviderSettings> = {},
  variables: Readonly<Record<string, string>> = {},
) => resolveProvider({ config: settings(more), environment: environment(variables) });

const resolved = (...args: Parameters<typeof resolve>) => Result.getOrThrow(resolve(...args));

const withTable = (one: Parameters<typeof table>[0], variables = {}) =>
  resolve({ modelProvider: "mine", modelProviders: new Map([["mine", table(one)]]) }, variables);

const failure = (result: ReturnType<typeof resolve>) =>
  Result.isFailure(result) ? result.failure : undefined;

describe("resolveProvider", () => {
  it("is OpenAI with the signed-in credential if nothing is configured", () => {
    expect(resolved()).toMatchObject({
      id: "openai",
      name: "OpenAI",
      auth: { _tag: "SignedIn" },
      headers: [],
      queryParams: [],
      requestMaxRetries: 0,
    });
  });

  it.each([
    [{}, []],
    [{ OPENAI_ORGANIZATION: "org-1" }, [["OpenAI-Organization", "org-1"]]],
    [
      { OPENAI_ORGANIZATION: "org-1", OPENAI_PROJECT: "proj-1" },
      [
        ["OpenAI-Organization", "org-1"],
        ["OpenAI-Project", "proj-1"],
      ],
    ],
  ])("sends organization and project of the environment to OpenAI: %j", (variables, headers) => {
    const provider = resolved({}, variables);
    expect(provider.headers.map(({ name, value }) => [name, Redacted.value(value)])).toEqual(
      headers,
    );
    expect(provider.headers.map(({ isCredential }) => isCredential)).toEqual(
      headers.map(() => false),
    );
  });

  it("sends organization and project to no other provider", () => {
    const provider = Result.getOrThrow(
      withTable({ baseUrl: "https://gw.example" }, { OPENAI_ORGANIZATION: "org-1" }),
    );
    expect(provider.headers).toEqual([]);
  });

  it("prints no query parameter and no argument of its command", () => {
    const canary = Redacted.make("canary");
    const auth = { command: "tok", args: [canary], timeoutMs: 5000, refreshIntervalMs: 0 };
    const one = { baseUrl: "https://x.example/v1", queryParams: { key: canary }, auth };
    const provider = Result.getOrThrow(withTable(one));
    expect(provider.queryParams.map(([, value]) => Redacted.value(value))).toEqual(["canary"]);
    expect(inspect(provider, { depth: 9 }) + JSON.stringify(provider)).not.toContain("canary");
  });

  it("names the configured providers if the id is unknown", () => {
    const error = failure(
      resolve({ modelProvider: "azur", modelProviders: new Map([["azure", table()]]) }),
    );
    expect(error).toMatchObject({
      code: "LOGIN_MODEL_PROVIDER_NOT_FOUND",
      hint: "Choose one of openai, azure, or add [model_providers.azur] to config.toml.",
    });
  });

  it("prefers env_key to a configured token, that to a command, that to the signed-in credential", () => {
    const all = {
      baseUrl: "https://x.example/v1",
      envKey: "X_KEY",
      experimentalBearerToken: Redacted.make("configured"),
      auth: { command: "tok", args: [], timeoutMs: 5000, refreshIntervalMs: 300_000 },
      requiresOpenaiAuth: true,
    };
    const { envKey: _1, ...noEnv } = all;
    const { experimentalBearerToken: _2, ...noToken } = noEnv;
    const { auth: _3, ...noCommand } = noToken;
    const tags = [all, noEnv, noToken, noCommand, { ...noCommand, requiresOpenaiAuth: false }].map(
      (one) => Result.getOrThrow(withTable(one, { X_KEY: "from-env" })).auth._tag,
    );
    expect(tags).toEqual(["EnvKey", "BearerToken", "Command", "SignedIn", "None"]);
  });

  it("quotes env_key_instructions if the variable is missing", () => {
    const error = failure(
      withTable({ envKey: "X_KEY", envKeyInstructions: "Get one at x.example/keys." }),
    );
    expect(error).toMatchObject({
      code: "PROVIDER_ENV_KEY_MISSING",
      variable: "X_KEY",
      hint: "Get one at x.example/keys.",
    });
    expect(error?.message).toContain("Get one at x.example/keys.");
  });

  it.each([
    ["ftp://x.example/v1", "notHttp"],
    ["file:///etc/passwd", "notHttp"],
    ["x.example/v1", "notAUrl"],
    ["", "notAUrl"],
    ["https://user:pass@x.example/v1", "holdsCredentials"],
    ["https://x.example/v1?key=1", "holdsQueryOrFragment"],
    ["https://x.example/v1#a", "holdsQueryOrFragment"],
    ["https://x.example/v1?", "holdsQueryOrFragment"],
  ])("refuses the base URL %j: %s", (baseUrl, reason) => {
    expect(failure(withTable({ baseUrl }))).toMatchObject({
      code: "PROVIDER_BASE_URL_INVALID",
      setting: "base_url",
      reason,
    });
  });

  it("refuses plain http to another machine for the signed-in credential, unless it is allowed", () => {
    const one = table({ baseUrl: "http://gateway.example/v1", requiresOpenaiAuth: true });
    const config = settings({ modelProvider: "mine", modelProviders: new Map([["mine", one]]) });
    const refused = resolveProvider({ config, environment: environment() });
    expect(failure(refused)).toMatchObject({ reason: "insecureHttp" });
    const allowed = resolveProvider({
      config,
      environment: environment(),
      allowInsecureHttp: true,
    });
    expect(Result.isSuccess(allowed)).toBe(true);
    for (const baseUrl of ["http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]:2"])
      expect(Result.isSuccess(withTable({ baseUrl, requiresOpenaiAuth: true }))).toBe(true);
    // A resolver may send such a name to another machine.
    const baseUrl = "http://gateway.localhost/v1";
    expect(failure(withTable({ baseUrl, requiresOpenaiAuth: true }))).toMatchObject({
      reason: "insecureHttp",
    });
    expect(Result.isSuccess(withTable({ baseUrl: "http://ollama.lan/v1" }))).toBe(true);
  });

  it("reads headers from the configuration and from variables, and ignores empty variables", () => {
    const provider = Result.getOrThrow(
      withTable(
        {
          httpHeaders: { "X-One": Redacted.make("1"), "X-Two": Redacted.make("2") },
          envHttpHeaders: { "x-two": "TWO", "X-Three": "THREE" },
        },
        { TWO: "two" },
      ),
    );
    expect(provider.headers.map(({ name, value }) => [name, Redacted.value(value)])).toEqual([
      ["X-One", "1"],
      ["x-two", "two"],
    ]);
  });

  it.each([
    [{ httpHeaders: { "X One": Redacted.make("1") } }, "http_headers", "name"],
    [{ httpHeaders: { "X-One": Redacted.make("a\nb") } }, "http_headers", "controlByte"],
    [{ httpHeaders: { Host: Redacted.make("evil.example") } }, "http_headers", "reserved"],
    [{ envHttpHeaders: { "X-One": "ONE" } }, "env_http_headers", "notAscii"],
  ])("refuses a header that cannot be sent: %j", (one, from, reason) => {
    expect(failure(withTable(one, { ONE: "é" }))).toMatchObject({
      code: "PROVIDER_HEADER_INVALID",
      from,
      reason,
    });
  });

  it("reads retries and the wire API", () => {
    expect(
      Result.getOrThrow(withTable({ requestMaxRetries: 7, wireApi: "responses" })),
    ).toMatchObject({ requestMaxRetries: 7, wireApi: "responses" });
  });

  it("uses a table named openai instead of the built-in provider", () => {
    const provider = resolved({
      modelProviders: new Map([["openai", table({ baseUrl: "https://gateway.example/v1" })]]),
    });
    expect(requestTarget(provider, null).baseUrl).toBe("https://gateway.example/v1");
  });
});

const baseUrl = (
  more: Partial<ProviderSettings>,
  credential: Parameters<typeof requestTarget>[1],
) => requestTarget(resolved(more), credential).baseUrl;

describe("requestTarget", () => {
  it("sends API keys to the platform and sign-ins to ChatGPT", () => {
    expect(baseUrl({}, apiKey())).toBe("https://api.openai.com/v1");
    expect(baseUrl({}, apiKey("sk-svcacct-fedramp-1"))).toBe("https://gov.api.openai.com/v1");
    expect(baseUrl({}, bearer("x"))).toBe("https://api.openai.com/v1");
    for (const credential of [chatgpt(), personalAccessToken(), agent()])
      expect(baseUrl({}, credential)).toBe("https://chatgpt.com/backend-api/codex");
  });

  it("replaces both by openai_base_url", () => {
    const openaiBaseUrl = "https://eu.api.example/v1/";
    expect(baseUrl({ openaiBaseUrl }, apiKey())).toBe("https://eu.api.example/v1");
    expect(baseUrl({ openaiBaseUrl }, agent())).toBe("https://eu.api.example/v1");
  });

  it("uses a provider's base_url as it is", () => {
    expect(requestTarget(providerAt("https://gw.example/tenant/v1/"), chatgpt())).toEqual({
      baseUrl: "https://gw.example/tenant/v1",
      origin: "https://gw.example",
      basePath: "/tenant/v1",
    });
  });

  it.each([
    ["https://x.example/backend-api", "https://x.example/backend-api/codex"],
    ["https://x.example/backend-api/codex", "https://x.example/backend-api/codex"],
    ["https://x.example/p/backend-api/", "https://x.example/p/backend-api/codex"],
    ["https://x.example/api/codex", "https://x.example/api/codex"],
    ["https://x.example/p/api/codex", "https://x.example/p/api/codex"],
    ["https://chatgpt.com/api/codex", "https://chatgpt.com/api/codex"],
    ["https://x.example", "https://x.example/api/codex"],
    ["https://x.example/backend-apis", "https://x.example/backend-apis/api/codex"],
    ["https://chatgpt.com", "https://chatgpt.com/backend-api/codex"],
    ["https://chat.openai.com/codex", "https://chat.openai.com/backend-api/codex"],
    ["https://chatgpt.com.evil.example", "https://chatgpt.com.evil.example/api/codex"],
  ])("moves with chatgpt_base_url %s to %s", (chatgptBaseUrl, expected) => {
    expect(baseUrl({ chatgptBaseUrl }, agent())).toBe(expected);
    expect(baseUrl({ chatgptBaseUrl }, apiKey())).toBe("https://api.openai.com/v1");
  });
});
