import { inspect } from "node:util";
import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { describeAgent, registerAgent } from "../src/registration/index.ts";
import { mintBiscuit } from "../src/registration/biscuit.ts";
import { importAgentKey } from "../src/keys/index.ts";
import { answer, json, makeFakeTransport, refusedConnection } from "./fake-transport.ts";
import { keyVectors } from "./vectors/index.ts";

const importVector = importAgentKey(Redacted.make(keyVectors.agent_private_key));
const accessToken = Redacted.make("canary-access-token");
const plain = (value: unknown) => (Redacted.isRedacted(value) ? Redacted.value(value) : value);

describe("mintBiscuit", () => {
  const options = {
    baseUrl: "https://own.example/backend-api/",
    accessToken,
    originalMethod: "POST",
    originalUrl: "https://own.example/backend-api/v1/agent/register",
  };

  it.effect("sends the original request and reads the response header", () => {
    const biscuitAnswer = answer(200, "", { "x-openai-authorization": "canary-biscuit" });
    const transport = makeFakeTransport(() => Effect.succeed(biscuitAnswer));
    return Effect.gen(function* () {
      const biscuit = yield* mintBiscuit(options);
      expect(Redacted.value(biscuit)).toBe("canary-biscuit");
      expect(inspect(biscuit, { showHidden: true, depth: 9 })).not.toContain("canary");
      const [request] = transport.requests;
      expect(request).toMatchObject({
        method: "GET",
        url: "https://own.example/backend-api/authenticate_app_v2",
        timeoutMs: 15_000,
        headers: {
          "X-Original-Method": "POST",
          "X-Original-Url": "https://own.example/backend-api/v1/agent/register",
        },
      });
      expect(plain(request?.headers?.["authorization"])).toBe("Bearer canary-access-token");
      expect(request?.headers?.["X-Request-Id"]).toMatch(/^codex-agent-identity-[\w-]{22}$/);
      expect(inspect(request, { depth: 9 })).not.toContain("canary");
    }).pipe(Effect.provide(transport.layer));
  });

  it.effect.each([
    ["undefined", undefined],
    ["empty", Redacted.make("")],
    ["blank", Redacted.make("  ")],
  ] as const)("sends nothing if the access token is %s", ([, none]) => {
    const transport = makeFakeTransport(() => Effect.succeed(answer(200, "")));
    return Effect.gen(function* () {
      const error = yield* Effect.flip(mintBiscuit({ ...options, accessToken: none }));
      expect(error.message).toBe("ChatGPT access token is unavailable");
      expect(transport.requests).toHaveLength(0);
    }).pipe(Effect.provide(transport.layer));
  });

  it.effect.each([
    [
      answer(401, "bad canary-access-token"),
      "agent biscuit request failed with status 401: bad <redacted>",
    ],
    [
      answer(403, "no", { "x-openai-authorization": "biscuit-1" }),
      "agent biscuit request failed with status 403: no",
    ],
    [answer(200, ""), "agent biscuit response omitted x-openai-authorization (status 200)"],
    [
      answer(200, "", { "x-openai-authorization": " " }),
      "agent biscuit response omitted x-openai-authorization (status 200)",
    ],
  ] as const)("rejects %j", ([bad, message]) => {
    const transport = makeFakeTransport(() => Effect.succeed(bad));
    return Effect.gen(function* () {
      expect((yield* Effect.flip(mintBiscuit(options))).message).toBe(message);
    }).pipe(Effect.provide(transport.layer));
  });

  it.effect("fails if the request fails or the base URL is invalid", () => {
    const transport = makeFakeTransport(() => Effect.fail(refusedConnection));
    return Effect.gen(function* () {
      expect((yield* Effect.flip(mintBiscuit(options))).code).toBe(
        "AGENT_IDENTITY_BISCUIT_REQUEST_FAILED",
      );
      const insecure = mintBiscuit({ ...options, baseUrl: "http://own.example" });
      expect((yield* Effect.flip(insecure)).code).toBe("AGENT_IDENTITY_BASE_URL_INSECURE");
    }).pipe(Effect.provide(transport.layer));
  });
});

describe("describeAgent", () => {
  it.each([
    ["cli", "linux", "codex-cli", "cli-linux"],
    ["vscode", "darwin", "codex-app", "vscode-macos"],
    ["exec", "win32", "codex-cli", "exec-windows"],
  ] as const)("%s on %s is %s at %s", (source, platform, agentHarnessId, runningLocation) => {
    expect(describeAgent({ agentVersion: "1.2.3", source, platform })).toEqual({
      agentVersion: "1.2.3",
      agentHarnessId,
      runningLocation,
    });
  });
});

describe("registerAgent", () => {
  const billOfMaterials = describeAgent({
    agentVersion: "1.2.3",
    source: "cli",
    platform: "linux",
  });
  const shared = { baseUrl: "https://own.example/api/", billOfMaterials };
  const abom = {
    agent_version: "1.2.3",
    agent_harness_id: "codex-cli",
    running_location: "cli-linux",
  };
  const registered = json({ agent_runtime_id: "agent-9" });

  it.effect("registers in the v1 design with a biscuit", () => {
    const transport = makeFakeTransport(() => Effect.succeed(registered));
    return Effect.gen(function* () {
      const key = yield* importVector;
      const biscuit = Redacted.make("canary-biscuit");
      expect(yield* registerAgent({ ...shared, key, design: "v1", biscuit })).toBe("agent-9");
      const [request] = transport.requests;
      expect(request).toMatchObject({
        method: "POST",
        url: "https://own.example/api/v1/agent/register",
        timeoutMs: 15_000,
        body: JSON.stringify({
          abom,
          agent_public_key: keyVectors.public_key_ssh,
          capabilities: [],
        }),
      });
      expect(plain(request?.headers?.["X-OpenAI-Authorization"])).toBe("canary-biscuit");
      expect(request?.headers).not.toHaveProperty("authorization");
    }).pipe(Effect.provide(transport.layer));
  });

  it.effect("registers in the v2 design with the user's access token", () => {
    const transport = makeFakeTransport(() => Effect.succeed(registered));
    return Effect.gen(function* () {
      const key = yield* importVector;
      yield* registerAgent({ ...shared, key, design: "v2", accessToken });
      const [request] = transport.requests;
      expect(request?.body).toBe(
        JSON.stringify({
          abom,
          agent_public_key: keyVectors.public_key_ssh,
          capabilities: ["responsesapi"],
          ttl: null,
        }),
      );
      expect(plain(request?.headers?.["authorization"])).toBe("Bearer canary-access-token");
      expect(inspect(request, { depth: 9 })).not.toContain("canary");
    }).pipe(Effect.provide(transport.layer));
  });

  it.effect.each([
    [answer(403, "not canary-access-token"), "AGENT_IDENTITY_AGENT_REGISTRATION_REJECTED"],
    [answer(500, "oops"), "AGENT_IDENTITY_AGENT_REGISTRATION_REJECTED"],
    [answer(200, "<html>"), "AGENT_IDENTITY_AGENT_REGISTRATION_RESPONSE_MALFORMED"],
    [json({}), "AGENT_IDENTITY_AGENT_REGISTRATION_RESPONSE_MALFORMED"],
    [json({ agent_runtime_id: "a\nb" }), "AGENT_IDENTITY_AGENT_REGISTRATION_RESPONSE_MALFORMED"],
  ] as const)("makes one attempt: %j is %s", ([bad, code]) => {
    const transport = makeFakeTransport(() => Effect.succeed(bad));
    return Effect.gen(function* () {
      const key = yield* importVector;
      const error = yield* Effect.flip(
        registerAgent({ ...shared, key, design: "v2", accessToken }),
      );
      expect(error.code).toBe(code);
      expect(inspect(error, { depth: 9 })).not.toContain("canary");
      expect(transport.requests).toHaveLength(1);
    }).pipe(Effect.provide(transport.layer));
  });

  it.effect("fails without a token and if the request fails", () => {
    const transport = makeFakeTransport(() => Effect.fail(refusedConnection));
    return Effect.gen(function* () {
      const key = yield* importVector;
      const none = { ...shared, key, design: "v2", accessToken: Redacted.make(" ") } as const;
      expect((yield* Effect.flip(registerAgent(none))).code).toBe(
        "AGENT_IDENTITY_ACCESS_TOKEN_UNAVAILABLE",
      );
      const unreached = registerAgent({ ...shared, key, design: "v2", accessToken });
      expect((yield* Effect.flip(unreached)).code).toBe(
        "AGENT_IDENTITY_AGENT_REGISTRATION_REQUEST_FAILED",
      );
    }).pipe(Effect.provide(transport.layer));
  });
});
