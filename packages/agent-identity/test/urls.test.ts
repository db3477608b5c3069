import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import {
  isLoopbackUrl,
  accountBackendUrl,
  jwksUrl,
  normalizeBaseUrl,
  taskApiBaseUrl,
  taskRegistrationUrl,
} from "../src/urls/index.ts";

const wham = "/backend-api/wham/agent-identities/jwks";

describe("accountBackendUrl", () => {
  it.effect.each([
    ["https://chatgpt.com", "https://chatgpt.com/backend-api/wham"],
    ["https://chatgpt.com/backend-api/codex", "https://chatgpt.com/backend-api/wham"],
    ["https://own.example/x/backend-api/", "https://own.example/x/backend-api/wham"],
    ["https://own.example/api/codex", "https://own.example/api/codex"],
    ["https://own.example", "https://own.example/api/codex"],
  ] as const)("of %s is %s", ([base, expected]) =>
    Effect.gen(function* () {
      expect(yield* accountBackendUrl(base)).toBe(expected);
    }),
  );
});

describe("jwksUrl", () => {
  it.effect.each([
    ["https://chatgpt.com", `https://chatgpt.com${wham}`],
    ["https://chatgpt.com/", `https://chatgpt.com${wham}`],
    ["  https://chatgpt.com//  ", `https://chatgpt.com${wham}`],
    ["https://chatgpt.com/codex", `https://chatgpt.com${wham}`],
    ["https://chatgpt.com/codex/", `https://chatgpt.com${wham}`],
    ["https://CHATGPT.com:443/codex", `https://chatgpt.com${wham}`],
    ["https://chat.openai.com", `https://chat.openai.com${wham}`],
    ["https://chat.openai.com/codex", `https://chat.openai.com${wham}`],
    ["https://chatgpt.com/backend-api", `https://chatgpt.com${wham}`],
    ["https://chatgpt.com/backend-api/codex", `https://chatgpt.com${wham}`],
    ["https://chatgpt.com/backend-api/codex/", `https://chatgpt.com${wham}`],
    ["https://own.example/backend-api", `https://own.example${wham}`],
    [
      "https://own.example/x/backend-api/y",
      "https://own.example/x/backend-api/y/wham/agent-identities/jwks",
    ],
    [
      "https://own.example/x/backend-api/codex",
      "https://own.example/x/backend-api/wham/agent-identities/jwks",
    ],
    ["https://chatgpt.com/api/codex", "https://chatgpt.com/api/codex/agent-identities/jwks"],
    ["https://own.example/api/codex", "https://own.example/api/codex/agent-identities/jwks"],
    ["https://own.example/x/api/codex/", "https://own.example/x/api/codex/agent-identities/jwks"],
    [
      "https://own.example/backend-api/api/codex",
      "https://own.example/backend-api/api/codex/agent-identities/jwks",
    ],
    ["https://own.example", "https://own.example/api/codex/agent-identities/jwks"],
    ["https://own.example/codex", "https://own.example/codex/api/codex/agent-identities/jwks"],
    [
      "https://own.example/my-backend-api",
      "https://own.example/my-backend-api/api/codex/agent-identities/jwks",
    ],
    [
      "https://own.example/backend-apis",
      "https://own.example/backend-apis/api/codex/agent-identities/jwks",
    ],
    [
      "https://own.example/api/codexx",
      "https://own.example/api/codexx/api/codex/agent-identities/jwks",
    ],
    [
      "https://own.example/xapi/codex",
      "https://own.example/xapi/codex/api/codex/agent-identities/jwks",
    ],
    [
      "https://chatgpt.com.evil.example",
      "https://chatgpt.com.evil.example/api/codex/agent-identities/jwks",
    ],
    ["https://chatgpt.com:8443", "https://chatgpt.com:8443/api/codex/agent-identities/jwks"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080/api/codex/agent-identities/jwks"],
    ["http://localhost:8080/backend-api", `http://localhost:8080${wham}`],
    ["http://[::1]:8080/api/codex", "http://[::1]:8080/api/codex/agent-identities/jwks"],
  ] as const)("the JWKS of %s is at %s", ([base, expected]) =>
    Effect.gen(function* () {
      expect(yield* jwksUrl(base)).toBe(expected);
    }),
  );

  it.effect("accepts plain http for hosts other than loopback only if allowed", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(jwksUrl("http://own.example/backend-api"));
      expect(refused).toMatchObject({
        code: "AGENT_IDENTITY_BASE_URL_INSECURE",
        origin: "http://own.example",
      });
      expect(yield* jwksUrl("http://own.example/backend-api", { allowInsecureHttp: true })).toBe(
        `http://own.example${wham}`,
      );
    }),
  );
});

describe("normalizeBaseUrl", () => {
  it.effect.each([
    "",
    "   ",
    "chatgpt.com",
    "/backend-api",
    "ftp://chatgpt.com",
    "https://",
    "file:///etc/passwd",
  ])("rejects %j", (base) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(normalizeBaseUrl(base));
      expect(error.code).toBe("AGENT_IDENTITY_BASE_URL_INVALID");
    }),
  );

  it.effect.each([
    "https://user:canary-secret@own.example",
    "https://canary-secret@own.example",
    "https://:canary-secret@own.example",
    "https://own.example?token=canary-secret",
    "https://own.example#canary-secret",
  ])("rejects %j without showing it", (base) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(normalizeBaseUrl(base));
      expect(error.code).toBe("AGENT_IDENTITY_BASE_URL_INVALID");
      expect(`${error.message} ${JSON.stringify(error)}`).not.toContain("canary-secret");
    }),
  );
});

describe("isLoopbackUrl", () => {
  it.each([
    ["http://localhost", true],
    ["http://localhost:1455/x", true],
    ["http://127.0.0.1", true],
    ["http://127.255.255.254:80", true],
    ["http://127.1", true],
    ["http://[::1]:8080", true],
    ["https://localhost.evil.example", false],
    ["http://127.0.0.1.evil.example", false],
    ["http://128.0.0.1", false],
    ["http://0.0.0.0", false],
    ["http://[::2]", false],
    ["https://user@evil.example/localhost", false],
    ["no url", false],
  ])("%s: %s", (url, expected) => {
    expect(isLoopbackUrl(url)).toBe(expected);
  });
});

describe("taskApiBaseUrl", () => {
  it.effect.each([
    [{ chatgptBaseUrl: "https://chatgpt.com/backend-api" }, "https://auth.openai.com/api/accounts"],
    [{ chatgptBaseUrl: "https://own.example/backend-api" }, "https://auth.openai.com/api/accounts"],
    [
      { chatgptBaseUrl: " https://ChatGPT-staging.com/backend-api/" },
      "https://auth.api.openai.org/api/accounts",
    ],
    [{ chatgptBaseUrl: "https://chatgpt-staging.com" }, "https://auth.api.openai.org/api/accounts"],
    [
      { chatgptBaseUrl: "https://chatgpt-staging.com.own.example" },
      "https://auth.openai.com/api/accounts",
    ],
    [{ chatgptBaseUrl: "http://chatgpt-staging.com" }, "https://auth.openai.com/api/accounts"],
    [
      { chatgptBaseUrl: " http://127.0.0.1:8080/backend-api/ " },
      "http://127.0.0.1:8080/backend-api",
    ],
    [
      { chatgptBaseUrl: "https://chatgpt.com", override: "https://own.example/api/" },
      "https://own.example/api",
    ],
    [{ chatgptBaseUrl: "http://localhost:1", override: "  " }, "http://localhost:1"],
  ] as const)("%j gives %s", ([from, expected]) =>
    Effect.gen(function* () {
      expect(yield* taskApiBaseUrl(from)).toBe(expected);
    }),
  );

  it.effect("applies the same rules to an override", () =>
    Effect.gen(function* () {
      const from = { chatgptBaseUrl: "https://chatgpt.com", override: "http://own.example" };
      expect((yield* Effect.flip(taskApiBaseUrl(from))).code).toBe(
        "AGENT_IDENTITY_BASE_URL_INSECURE",
      );
    }),
  );
});

describe("taskRegistrationUrl", () => {
  it.effect("percent-encodes the runtime id", () =>
    Effect.gen(function* () {
      expect(yield* taskRegistrationUrl("https://own.example/api", "a/b?c#d %2e e")).toBe(
        "https://own.example/api/v1/agent/a%2Fb%3Fc%23d%20%252e%20e/task/register",
      );
    }),
  );

  it.effect.each(["", ".", "..", "a\nb", "ä", "\ud800", " a"])(
    "rejects %j as a path segment",
    (id) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(taskRegistrationUrl("https://own.example", id));
        expect(error.code).toBe("AGENT_IDENTITY_PATH_SEGMENT_INVALID");
      }),
  );
});
