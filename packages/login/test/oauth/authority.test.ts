import { describe, expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { type HttpRequest, HttpTransport } from "@agent-auth/agent-identity/http";
import { parseEnvironment } from "../../src/config/environment.ts";
import { tokenAuthority } from "../../src/oauth/authority.ts";
import { revokeTokens } from "../../src/oauth/revoke.ts";

const codex = "app_EMoamEEZ73f0CkXaXp7hrann";
const refresh = "CODEX_REFRESH_TOKEN_URL_OVERRIDE";
const revoke = "CODEX_REVOKE_TOKEN_URL_OVERRIDE";

const authorityOf = (env: Readonly<Record<string, string>>, issuer?: string, insecure = false) =>
  tokenAuthority(
    parseEnvironment(env, { homeDir: "/home/ada" }),
    issuer === undefined ? undefined : { issuer, clientId: "client-7" },
    insecure,
  );

describe("tokenAuthority", () => {
  it("is OpenAI's, with the client of Codex, by default", () => {
    expect(authorityOf({})).toEqual({
      tokenUrl: "https://auth.openai.com/oauth/token",
      revokeUrl: "https://auth.openai.com/oauth/revoke",
      clientId: codex,
    });
  });

  it.each([
    [{ [refresh]: "https://a.example/x/token" }, undefined, "https://a.example/oauth/revoke"],
    [
      { [refresh]: "https://a.example/x/token", [revoke]: "https://b.example/gone" },
      undefined,
      "https://b.example/gone",
    ],
    [{ [refresh]: "https://a.example/x/token" }, "ftp://own", "https://a.example/oauth/revoke"],
  ])("uses the URLs of %j (issuer of the tokens: %j): revokes at %s", (env, issuer, revokeUrl) => {
    expect(authorityOf(env, issuer)).toMatchObject({
      tokenUrl: "https://a.example/x/token",
      revokeUrl,
    });
  });

  it("uses a revoke URL alone", () => {
    expect(authorityOf({ [revoke]: "https://b.example/gone" })).toMatchObject({
      tokenUrl: "https://auth.openai.com/oauth/token",
      revokeUrl: "https://b.example/gone",
    });
  });

  it.each(["https://own.example/", "http://127.0.0.1:7", "http://localhost:7"])(
    "uses the issuer that the tokens name: %s",
    (issuer) => {
      const base = issuer.replace(/\/$/, "");
      expect(authorityOf({}, issuer)).toEqual({
        tokenUrl: `${base}/oauth/token`,
        revokeUrl: `${base}/oauth/revoke`,
        clientId: "client-7",
      });
    },
  );

  it.each(["http://own.example", "ftp://own.example", "own.example", ""])(
    "sends no token to the issuer %j",
    (issuer) => expect(authorityOf({}, issuer)).toBeUndefined(),
  );

  it("sends tokens over plain http if allowInsecureHttp is set", () => {
    expect(authorityOf({}, "http://own.example", true)?.tokenUrl).toBe(
      "http://own.example/oauth/token",
    );
  });
});

describe("revokeTokens", () => {
  it.effect("has a timeout of 10 s, and a secret body", () =>
    Effect.gen(function* () {
      const requests: Array<HttpRequest> = [];
      const authority = { tokenUrl: "x", revokeUrl: "https://a.example/r", clientId: codex };
      const tokens = {
        idToken: Redacted.make("i"),
        accessToken: Redacted.make("a"),
        refreshToken: Redacted.make("r"),
      };
      const isConfirmed = yield* Effect.provideService(
        revokeTokens(tokens, authority),
        HttpTransport,
        {
          request: (request) =>
            Effect.sync(() => {
              requests.push(request);
              return { status: 200, statusText: "", headers: {}, body: "" };
            }),
        },
      );
      expect(isConfirmed).toBe(true);
      expect(requests).toMatchObject([
        { method: "POST", url: "https://a.example/r", timeoutMs: 10_000 },
      ]);
      const body = requests[0]?.body;
      expect(Redacted.isRedacted(body) && Redacted.value(body)).toBe(
        `{"token":"r","token_type_hint":"refresh_token","client_id":"${codex}"}`,
      );
    }),
  );
});
