import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/index.ts";
import {
  overridingEnvVar,
  parseEnvironment,
  type Variables,
} from "../../src/config/environment.ts";
import { workloadIdentitySettings } from "../../src/workload-identity/index.ts";

const configOf = (overrides: ReadonlyArray<string>) =>
  loadConfig({ codexHome: { path: "/nonexistent", explicit: false }, overrides });

const settings = async (variables: Variables, overrides: ReadonlyArray<string> = []) => {
  const environment = parseEnvironment(variables, { homeDir: "/nonexistent" });
  const config = await Effect.runPromise(configOf(overrides));
  return workloadIdentitySettings(environment, config);
};

const file = { OPENAI_FEDERATION_RULE_ID: " rule-1 ", OPENAI_IDENTITY_TOKEN_FILE: "/run/t.jwt" };
const spiffe = {
  OPENAI_FEDERATION_RULE_ID: "rule-1",
  OPENAI_IDENTITY_TOKEN_SOURCE: "spiffe",
  SPIFFE_ENDPOINT_SOCKET: "unix:///run/agent.sock",
  OPENAI_SPIFFE_AUDIENCE: "aud-1,aud-2",
};

describe("the variables of a workload identity", () => {
  it("select nothing if none of the first three is set", async () => {
    const found = await settings({
      SPIFFE_ENDPOINT_SOCKET: "unix:///run/agent.sock",
      OPENAI_WORKLOAD_IDENTITY_CONTEXT: "{}",
    });
    expect(Result.getOrThrow(found)).toBeUndefined();
  });

  it("select a token file by default, and the rule is trimmed", async () => {
    expect(Result.getOrThrow(await settings(file))).toEqual({
      source: { name: "file", tokenFile: "/run/t.jwt" },
      target: { _tag: "Workspace", federationRuleId: "rule-1" },
      tokenUrl: "https://auth.openai.com/oauth/token",
      setting: "OPENAI_FEDERATION_RULE_ID",
      configFiles: [],
    });
  });

  it("pass a context on as it is, even if it is blank", async () => {
    const found = await settings({ ...file, OPENAI_WORKLOAD_IDENTITY_CONTEXT: " " });
    expect(Result.getOrThrow(found)?.target).toMatchObject({ context: " " });
  });

  it("select a SPIFFE Workload API with one audience", async () => {
    expect(Result.getOrThrow(await settings(spiffe))?.source).toEqual({
      name: "spiffe",
      endpoint: "unix:///run/agent.sock",
      audience: "aud-1,aud-2",
    });
  });

  it.each<[string, Variables, string]>([
    [
      "an empty rule",
      { OPENAI_FEDERATION_RULE_ID: "" },
      "workload identity variable OPENAI_FEDERATION_RULE_ID is invalid",
    ],
    [
      "a missing rule",
      { OPENAI_IDENTITY_TOKEN_FILE: "/run/t.jwt" },
      "workload identity requires OPENAI_FEDERATION_RULE_ID",
    ],
    [
      "a missing file",
      { OPENAI_FEDERATION_RULE_ID: "r" },
      "workload identity requires OPENAI_IDENTITY_TOKEN_FILE",
    ],
    [
      "a relative file",
      { OPENAI_FEDERATION_RULE_ID: "r", OPENAI_IDENTITY_TOKEN_FILE: "t.jwt" },
      "OPENAI_IDENTITY_TOKEN_FILE must be an absolute path",
    ],
    [
      "a source that Codex does not have",
      { OPENAI_FEDERATION_RULE_ID: "r", OPENAI_IDENTITY_TOKEN_SOURCE: "github-actions" },
      "OPENAI_IDENTITY_TOKEN_SOURCE must be file or spiffe",
    ],
    [
      "an empty source",
      { OPENAI_IDENTITY_TOKEN_SOURCE: "", OPENAI_FEDERATION_RULE_ID: "r" },
      "workload identity variable OPENAI_IDENTITY_TOKEN_SOURCE is invalid",
    ],
    [
      "SPIFFE and a file",
      { ...spiffe, OPENAI_IDENTITY_TOKEN_FILE: "/run/t.jwt" },
      "SPIFFE authentication cannot also set OPENAI_IDENTITY_TOKEN_FILE",
    ],
    [
      "a SPIFFE audience for a file",
      { ...file, OPENAI_SPIFFE_AUDIENCE: "aud" },
      "SPIFFE settings require OPENAI_IDENTITY_TOKEN_SOURCE=spiffe",
    ],
    [
      "SPIFFE without a socket",
      { ...spiffe, SPIFFE_ENDPOINT_SOCKET: undefined },
      "workload identity requires SPIFFE_ENDPOINT_SOCKET",
    ],
    [
      "SPIFFE with a blank audience",
      { ...spiffe, OPENAI_SPIFFE_AUDIENCE: " " },
      "workload identity variable OPENAI_SPIFFE_AUDIENCE is invalid",
    ],
  ])("are refused with %s", async (_, variables, message) => {
    const error = Result.getOrThrow(Result.flip(await settings(variables)));
    expect(error.message).toBe(message);
    expect(error.remedy).toBe("fixEnvironment");
  });

  it.each([
    ["https://chatgpt.com", "https://auth.openai.com/oauth/token"],
    ["https://chat.openai.com/backend-api/codex", "https://auth.openai.com/oauth/token"],
    ["https://chatgpt.com/codex/", "https://auth.openai.com/oauth/token"],
    ["https://chatgpt-staging.com/backend-api", "https://auth.api.openai.org/oauth/token"],
  ])("are exchanged for %s at %s", async (base, tokenUrl) => {
    const found = await settings(file, [`chatgpt_base_url="${base}"`]);
    expect(Result.getOrThrow(found)?.tokenUrl).toBe(tokenUrl);
  });

  it.each([
    "https://chatgpt.com.example",
    "https://chatgpt.com/backend-api/other",
    "http://127.0.0.1:1234/backend-api",
    "https://codex.example/backend-api",
  ])("are refused for the unknown backend %s", async (base) => {
    const error = Result.flip(await settings(file, [`chatgpt_base_url="${base}"`]));
    expect(Result.getOrThrow(error).message).toBe(
      "workload identity auth supports only trusted production and staging app routing",
    );
  });

  it("are exchanged for a self-hosted backend at the configured endpoint", async () => {
    const found = await settings(file, [
      "chatgpt_base_url=https://codex.example/backend-api",
      "agent_auth.workload_identity.token_url=https://auth.example/token",
    ]);
    expect(Result.getOrThrow(found)?.tokenUrl).toBe("https://auth.example/token");
  });

  it("name the variable that provides the credential, before any other", () => {
    const environment = parseEnvironment(
      { HOME: "/nonexistent", CODEX_API_KEY: "sk", OPENAI_IDENTITY_TOKEN_FILE: "" },
      {},
    );
    expect(overridingEnvVar(environment, { environmentCredentials: true })).toBe(
      "OPENAI_IDENTITY_TOKEN_FILE",
    );
  });
});

const table = (keys: Readonly<Record<string, string>>) =>
  Object.entries(keys).map(([key, value]) => `agent_auth.workload_identity.${key}="${value}"`);

describe("the table of config.toml", () => {
  it("selects a source and a service account of the API", async () => {
    const overrides = table({
      source: "file",
      token_file: "/run/t.jwt",
      identity_provider_id: "idp_1",
      service_account_id: "sa_1",
    });
    expect(Result.getOrThrow(await settings({}, overrides))).toEqual({
      source: { name: "file", tokenFile: "/run/t.jwt" },
      target: { _tag: "Api", identityProviderId: "idp_1", serviceAccountId: "sa_1" },
      tokenUrl: "https://auth.openai.com/oauth/token",
      setting: "agent_auth.workload_identity",
      configFiles: [],
    });
    const config = await Effect.runPromise(configOf(overrides));
    expect(overridingEnvVar({}, { environmentCredentials: false, config })).toBe(
      "agent_auth.workload_identity",
    );
  });

  it("gives way to the variables", async () => {
    const found = await settings(file, table({ source: "file", federation_rule_id: "other" }));
    expect(Result.getOrThrow(found)?.target).toMatchObject({ federationRuleId: "rule-1" });
  });

  it.each<[string, Readonly<Record<string, string>>, string]>([
    [
      "no target",
      { source: "file" },
      "agent_auth.workload_identity requires federation_rule_id, or identity_provider_id and service_account_id",
    ],
    [
      "half a target",
      { source: "file", service_account_id: "sa_1" },
      "agent_auth.workload_identity requires identity_provider_id",
    ],
    [
      "two targets",
      { source: "file", federation_rule_id: "r", service_account_id: "sa_1" },
      "agent_auth.workload_identity has federation_rule_id (for a ChatGPT workspace) and a service account (for the API)",
    ],
    [
      "a token endpoint on plain http",
      {
        source: "file",
        federation_rule_id: "r",
        token_url: "http://auth.example/token",
      },
      "agent_auth.workload_identity.token_url must be https, or http to a loopback host",
    ],
  ])("is refused with %s", async (_, keys, message) => {
    const error = Result.getOrThrow(Result.flip(await settings({}, table(keys))));
    expect(error.message).toBe(message);
    expect(error.remedy).toBe("fixConfig");
  });

  it("needs a source if it has anything but a token endpoint", async () => {
    const error = await Effect.runPromise(Effect.flip(configOf(table({ audience: "a" }))));
    expect(error.message).toContain("agent_auth.workload_identity.source must be set: one of file");
  });
});
