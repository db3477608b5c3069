import { describe, expect, it } from "vitest";
import * as Redacted from "effect/Redacted";
import { mkdirSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { inspect } from "node:util";
import {
  loadEnvironment,
  overridingEnvVar,
  parseEnvironment,
  type Variables,
  withoutVariables,
} from "../src/config/environment.ts";
import { temporaryFolder, temporaryHome } from "./support/home.ts";

/** By the rules of Linux and macOS, on every platform. */
const platform = "linux";
const parse = (variables: Variables) =>
  parseEnvironment(variables, { homeDir: "/home/ada", platform });

const reveal = (secret: Redacted.Redacted | undefined) => secret && Redacted.value(secret);

const homeOf = (variables: Variables) => parseEnvironment(variables, { platform }).codexHome;

const withDotEnv = (content: string, variables: Variables = {}) => {
  const { path } = temporaryHome();
  writeFileSync(join(path, ".env"), content);
  return { path, environment: loadEnvironment({ CODEX_HOME: path, ...variables }) };
};

describe("parseEnvironment", () => {
  it("returns only the default folder if no variable is set", () => {
    const { variable, ...rest } = parse({});
    expect(rest).toEqual({ codexHome: { path: join("/home/ada", ".codex"), explicit: false } });
    expect(variable("HOME")).toBeUndefined();
  });

  it("trims values and treats blank ones as unset", () => {
    const environment = parse({
      CODEX_HOME: "  /srv/codex \n",
      CODEX_API_KEY: " sk-1\r\n",
      CODEX_ACCESS_TOKEN: " \t ",
      CODEX_AGENT_IDENTITY: "",
    });
    expect(environment.codexHome).toEqual({ path: resolve("/srv/codex"), explicit: true });
    expect(reveal(environment.apiKey)).toBe("sk-1");
    expect(environment.accessToken).toBeUndefined();
    expect(environment.agentIdentity).toBeUndefined();
    expect(parse({ CODEX_HOME: " " }).codexHome.explicit).toBe(false);
  });

  it("resolves a relative CODEX_HOME against the working directory", () => {
    expect(parse({ CODEX_HOME: "x/../codex" }).codexHome.path).toBe(resolve("codex"));
  });

  it("reads each documented variable into its own property", () => {
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

  it.each(["httpsProxy", "httpProxy", "allProxy"] as const)(
    "prefers the lower-case variable for %s and keeps the name of the variable",
    (property) => {
      const upper = property.replace("Proxy", "_proxy").toUpperCase();
      const lower = upper.toLowerCase();
      const both = parse({ [upper]: "http://a", [lower]: "http://b" })[property];
      expect([both?.variable, reveal(both?.url)]).toEqual([lower, "http://b"]);
      const blank = parse({ [upper]: "http://a", [lower]: " " })[property];
      expect([blank?.variable, reveal(blank?.url)]).toEqual([upper, "http://a"]);
    },
  );

  it.each([
    ["HTTPS_PROXY", "httpsProxy"],
    ["Http_Proxy", "httpProxy"],
    ["all_proxy", "allProxy"],
  ] as const)(
    "names the proxy variable on Windows as it is spelled there: %s",
    (name, property) => {
      const options = { homeDir: "/home/ada", platform: "win32" } as const;
      const found = parseEnvironment({ [name]: "http://a" }, options)[property];
      expect([found?.variable, reveal(found?.url)]).toEqual([name, "http://a"]);
    },
  );

  it.each([
    ["win32", "sk-1", "k", "example.com"],
    ["linux", undefined, undefined, undefined],
  ] as const)(
    "on %s finds variables that are spelled in another case: %s",
    (platform, ...found) => {
      const variables = { Codex_Api_Key: "sk-1", acme_key: "k", No_Proxy: "example.com" };
      const environment = parseEnvironment(variables, { homeDir: "/home/ada", platform });
      const { apiKey, noProxy } = environment;
      expect([reveal(apiKey), reveal(environment.variable("ACME_KEY")), noProxy]).toEqual(found);
    },
  );

  it("on Windows takes the home folder from USERPROFILE, in any case, and prefers variables to .env", () => {
    const { path } = temporaryHome();
    writeFileSync(join(path, ".env"), "https_proxy=http://file\nall_proxy=http://all\n");
    const variables = { HOME: "/other", UserProfile: "/users/ada" };
    const { codexHome } = parseEnvironment(variables, { platform: "win32" });
    expect(codexHome.path).toBe(join("/users/ada", ".codex"));
    const both = { Codex_Home: path, HTTPS_PROXY: "http://process" };
    const { allProxy, httpsProxy, dotEnv } = loadEnvironment(both, { platform: "win32" });
    expect([httpsProxy?.variable, reveal(httpsProxy?.url)]).toEqual([
      "HTTPS_PROXY",
      "http://process",
    ]);
    expect([allProxy?.variable, reveal(allProxy?.url)]).toEqual(["all_proxy", "http://all"]);
    expect(Object.keys(dotEnv?.variables ?? {})).toEqual(["all_proxy"]);
  });

  it("returns any other variable by name, as a secret", () => {
    expect(reveal(parse({ ACME_KEY: " k " }).variable("ACME_KEY"))).toBe("k");
  });

  it.each(["constructor", "__proto__", "toString"])(
    "returns nothing for %s, which every object inherits",
    (name) => {
      expect(parse({}).variable(name)).toBeUndefined();
    },
  );

  it("keeps AGENT_AUTH_CONFIG as it is written, so that lines can be counted", () => {
    expect(reveal(parse({ AGENT_AUTH_CONFIG: "\na = 1\n" }).configToml)).toBe("\na = 1\n");
    expect(parse({ AGENT_AUTH_CONFIG: "\n" }).configToml).toBeUndefined();
  });

  it.each(["https://ada:canary@x/y?z#w", "https:canary@x", "\\\\a@canary@x", "canary:canary@x"])(
    "replaces the user name and password of %s by ***",
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
      AGENT_AUTH_CONFIG: `experimental_bearer_token = "${canary}"`,
      ALL_PROXY: `http://ada:${canary}@proxy`,
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

describe("the default CODEX_HOME", () => {
  it("is .codex in HOME", () => {
    expect(homeOf({ HOME: "/home/ada" })).toEqual({
      path: join("/home/ada", ".codex"),
      explicit: false,
    });
  });

  it.each([
    ["unset", {}],
    ["empty", { HOME: "" }],
    ["blank", { HOME: " " }],
  ])("is .codex in the home folder of the account if HOME is %s", (_, variables) => {
    expect(homeOf(variables)).toEqual({
      path: join(userInfo().homedir, ".codex"),
      explicit: false,
    });
  });

  it.each([".", "ada", "./ada", "../ada"])(
    "is not looked for in the working directory if HOME is %s",
    (home) => {
      const { path, notFound } = homeOf({ HOME: home });
      expect(path).toBe("/dev/null/.codex");
      expect(notFound).toBe("CODEX_HOME is not set, and HOME is not an absolute path");
    },
  );

  it("does not matter if CODEX_HOME is set", () => {
    expect(homeOf({ CODEX_HOME: "/srv/codex", HOME: "ada" })).toEqual({
      path: resolve("/srv/codex"),
      explicit: true,
    });
  });
});

describe("loadEnvironment", () => {
  it("takes variables that are unset or blank from .env", () => {
    const { environment } = withDotEnv("A=file\nB=file\nC=file\n", { A: "process", B: " " });
    expect(["A", "B", "C"].map((name) => reveal(environment.variable(name)))).toEqual([
      "process",
      "file",
      "file",
    ]);
  });

  it("takes proxies from .env, but not if the process has one under another spelling", () => {
    const content = "https_proxy=http://file\nALL_PROXY=http://all\nNO_PROXY=example.com\n";
    const { environment } = withDotEnv(content, { HTTPS_PROXY: "http://process" });
    expect(environment.httpsProxy?.variable).toBe("HTTPS_PROXY");
    expect(reveal(environment.httpsProxy?.url)).toBe("http://process");
    expect(reveal(environment.allProxy?.url)).toBe("http://all");
    expect(environment.noProxy).toBe("example.com");
  });

  it.each([
    "CODEX_API_KEY",
    "CODEX_ACCESS_TOKEN",
    "CODEX_CA_CERTIFICATE",
    "codex_home",
    "AGENT_AUTH_CONFIG",
  ])("ignores %s in .env", (name) => {
    const { environment, path } = withDotEnv(`${name}=canary\n`);
    const { variable, ...rest } = environment;
    expect(variable(name)).toBeUndefined();
    expect(rest).toEqual({ codexHome: { path, explicit: true } });
  });

  it("resolves a relative SSL_CERT_FILE in .env against CODEX_HOME, not the working directory", () => {
    const { environment, path } = withDotEnv("SSL_CERT_FILE=certs/root.pem\n");
    expect(environment.caBundle).toEqual({
      variable: "SSL_CERT_FILE",
      path: join(path, "certs/root.pem"),
    });
  });

  it("does not change the variables that it is given", () => {
    const { path } = temporaryHome();
    writeFileSync(join(path, ".env"), "ACME_KEY=file\n");
    const variables = Object.freeze({ CODEX_HOME: path });
    expect(reveal(loadEnvironment(variables).variable("ACME_KEY"))).toBe("file");
    expect(process.env["ACME_KEY"]).toBeUndefined();
  });

  it("reports a .env that cannot be read and reads the rest", () => {
    const { path } = temporaryHome();
    mkdirSync(join(path, ".env"));
    const environment = loadEnvironment({ CODEX_HOME: path, CODEX_API_KEY: "sk-1" });
    expect(environment.dotEnvProblem).toEqual({
      path: join(path, ".env"),
      reason: "it is a folder",
    });
    expect(reveal(environment.apiKey)).toBe("sk-1");
  });

  it("reads no .env of the working directory if there is no home folder", () => {
    const environment = loadEnvironment({ HOME: ".", CODEX_API_KEY: "sk-1" });
    expect(environment.dotEnvProblem).toBeUndefined();
    expect(environment.codexHome.notFound).toBeDefined();
  });

  it("reports nothing if HOME is not a folder, as that of a service account", () => {
    for (const HOME of ["/dev/null", "/dev/null/ada"])
      expect(loadEnvironment({ HOME }).dotEnvProblem).toBeUndefined();
  });

  it("reports nothing if CODEX_HOME does not exist: loading the configuration does", () => {
    const missing = join(temporaryFolder(), "missing");
    expect(loadEnvironment({ CODEX_HOME: missing }).dotEnvProblem).toBeUndefined();
  });
});

describe("overridingEnvVar", () => {
  const all = {
    CODEX_API_KEY: "sk-1",
    CODEX_AGENT_IDENTITY: "jwt",
    CODEX_ACCESS_TOKEN: "at-1",
  };

  it.each([
    ["CODEX_API_KEY", all, true],
    ["CODEX_AGENT_IDENTITY", { ...all, CODEX_API_KEY: "" }, true],
    ["CODEX_ACCESS_TOKEN", { CODEX_ACCESS_TOKEN: "at-1" }, true],
    [undefined, {}, true],
    ["CODEX_ACCESS_TOKEN", all, false],
    [undefined, { ...all, CODEX_ACCESS_TOKEN: "" }, false],
  ])("is %s for %o with environmentCredentials %s", (expected, variables, enabled) => {
    const environment = parse(variables);
    expect(overridingEnvVar(environment, { environmentCredentials: enabled })).toBe(expected);
  });
});

describe("withoutVariables", () => {
  it.each([
    ["a credential", "CODEX_API_KEY"],
    ["a credential in lower case", "codex_access_token"],
    ["the key of a shared store", "AGENT_AUTH_STORE_KEY"],
    ["the configuration of a parent", "Agent_Auth_Config"],
    ["the selection of a workload identity", "OPENAI_IDENTITY_TOKEN_FILE"],
  ])("withholds %s by default", (_, name) => {
    expect(withoutVariables({ PATH: "/bin", [name]: "x" })).toEqual({ PATH: "/bin" });
  });

  it("withholds the given names, in any case, and nothing else", () => {
    const own = { Job_Token: "x", CODEX_API_KEY: "sk-1", EMPTY: "" };
    expect(withoutVariables(own, ["JOB_TOKEN"])).toEqual({ CODEX_API_KEY: "sk-1", EMPTY: "" });
  });
});
