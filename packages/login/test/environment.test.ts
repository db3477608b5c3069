import { describe, expect, it } from "vitest";
import * as Redacted from "effect/Redacted";
import { inspect } from "node:util";
import { parseEnvironment, type Variables } from "../src/config/environment.ts";

const parse = (variables: Variables) => parseEnvironment(variables, { homeDir: "/home/ada" });

describe("parseEnvironment", () => {
  it("knows nothing but the default folder where nothing is set", () => {
    const { variable, ...rest } = parse({});
    expect(rest).toEqual({ codexHome: { path: "/home/ada/.codex", explicit: false } });
    expect(variable("HOME")).toBeUndefined();
  });

  it("trims values, and takes blank ones for absent", () => {
    const environment = parse({
      CODEX_HOME: "  /srv/codex \n",
      CODEX_API_KEY: " sk-1\r\n",
      CODEX_ACCESS_TOKEN: " \t ",
      CODEX_AGENT_IDENTITY: "",
    });
    expect(environment.codexHome).toEqual({ path: "/srv/codex", explicit: true });
    expect(environment.apiKey && Redacted.value(environment.apiKey)).toBe("sk-1");
    expect(environment.accessToken).toBeUndefined();
    expect(environment.agentIdentity).toBeUndefined();
    expect(parse({ CODEX_HOME: " " }).codexHome.explicit).toBe(false);
  });

  it("resolves a relative CODEX_HOME", () => {
    expect(parse({ CODEX_HOME: "x/../codex" }).codexHome.path).toBe(`${process.cwd()}/codex`);
  });

  it("reads every variable of the contract into its own place", () => {
    const environment = parse({
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: "refresh",
      CODEX_REVOKE_TOKEN_URL_OVERRIDE: "revoke",
      CODEX_AUTHAPI_BASE_URL: "authapi",
      CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL: "tasks",
      CODEX_AGENT_IDENTITY_JWKS_BASE_URL: "jwks",
      CODEX_INTERNAL_ORIGINATOR_OVERRIDE: "ours",
      NO_PROXY: "example.com",
    });
    expect(environment).toMatchObject({
      refreshTokenUrl: "refresh",
      revokeTokenUrl: "revoke",
      authApiBaseUrl: "authapi",
      agentIdentityAuthApiBaseUrl: "tasks",
      agentIdentityJwksBaseUrl: "jwks",
      originator: "ours",
      noProxy: "example.com",
    });
  });

  it("prefers CODEX_CA_CERTIFICATE to SSL_CERT_FILE, unless it is blank", () => {
    const both = { CODEX_CA_CERTIFICATE: "/a.pem", SSL_CERT_FILE: "/b.pem" };
    expect(parse(both).caBundle).toEqual({ variable: "CODEX_CA_CERTIFICATE", path: "/a.pem" });
    expect(parse({ ...both, CODEX_CA_CERTIFICATE: " " }).caBundle).toEqual({
      variable: "SSL_CERT_FILE",
      path: "/b.pem",
    });
  });

  it("prefers proxies in lower case, and remembers which variable named them", () => {
    const environment = parse({
      HTTPS_PROXY: "http://a",
      https_proxy: "http://b",
      HTTP_PROXY: "http://c",
    });
    expect(environment.httpsProxy?.variable).toBe("https_proxy");
    expect(environment.httpsProxy && Redacted.value(environment.httpsProxy.url)).toBe("http://b");
    expect(environment.httpProxy?.variable).toBe("HTTP_PROXY");
  });

  it("offers any other variable by name, as a secret", () => {
    const key = parse({ ACME_KEY: " k " }).variable("ACME_KEY");
    expect(key && Redacted.value(key)).toBe("k");
  });

  it.each(["https://ada:canary@x/y?z#w", "https:canary@x", "\\\\a@canary@x", "canary:canary@x"])(
    "keeps no password of %s, and keeps that there was one",
    (url) => {
      const environment = parse({
        CODEX_REFRESH_TOKEN_URL_OVERRIDE: url,
        CODEX_REVOKE_TOKEN_URL_OVERRIDE: url,
        CODEX_AUTHAPI_BASE_URL: url,
        CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL: url,
        CODEX_AGENT_IDENTITY_JWKS_BASE_URL: url,
      });
      const { variable: _, codexHome: __, ...urls } = environment;
      expect(Object.values(urls)).toHaveLength(5);
      for (const kept of Object.values(urls)) expect(kept).toContain("***@x");
      expect(inspect(environment)).not.toContain(":canary@");
      expect(parse({ CODEX_AUTHAPI_BASE_URL: "https://x/a@b" }).authApiBaseUrl).toBe(
        "https://x/a@b",
      );
    },
  );

  it("shows no secret when it is printed", () => {
    const canary = "canary-90aa";
    const environment = parse({
      CODEX_API_KEY: canary,
      CODEX_ACCESS_TOKEN: canary,
      CODEX_AGENT_IDENTITY: canary,
      HTTPS_PROXY: `http://ada:${canary}@proxy`,
      http_proxy: canary,
      OTHER: canary,
    });
    const shown = [
      inspect(environment, { depth: 9, showHidden: true }),
      JSON.stringify(environment),
      inspect(environment.variable("OTHER")),
    ];
    expect(shown.join("\n")).not.toContain(canary);
  });
});
