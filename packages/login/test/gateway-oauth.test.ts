import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../src/config/index.ts";
import { gatewayCredentialId } from "../src/gateway-oauth/index.ts";

const usual = {
  authorization_url: "https://login.example/authorize",
  token_url: "https://login.example/token",
  client_id: "client-1",
};

type Keys = Readonly<Record<string, string>>;

const load = (oauth: Keys, provider: Keys = {}) =>
  loadConfig({
    codexHome: { path: "/nonexistent", explicit: false },
    overrides: [
      'model_providers.gw.base_url="https://gw.example/v1"',
      ...Object.entries(provider).map(([key, value]) => `model_providers.gw.${key}=${value}`),
      ...Object.entries(oauth).map(
        ([key, value]) => `model_providers.gw.gateway_oauth.${key}=${value}`,
      ),
    ],
  });

const message = async (oauth: Keys, provider?: Keys) =>
  (await Effect.runPromise(Effect.flip(load(oauth, provider)))).message;

const oneSource =
  "choose one gateway credential source: credential_export or OAuth settings (authorization_url, token_url, and client_id)";
const conflict =
  "Header conflict. Codex is configured to send both the model provider credential and the gateway token in the Authorization header. Set gateway_oauth.delivery to a different header or cookie that your gateway accepts for its token.";

describe("[model_providers.<id>.gateway_oauth]", () => {
  it("has Codex's defaults", async () => {
    const config = await Effect.runPromise(load(usual));
    expect(config.modelProviders.get("gw")?.gatewayOauth).toEqual({
      _tag: "Session",
      authorizationUrl: "https://login.example/authorize",
      tokenUrl: "https://login.example/token",
      clientId: "client-1",
      scopes: [],
      store: "keyring",
      delivery: { kind: "header", name: "Authorization", scheme: "Bearer" },
    });
  });

  // The texts were printed by Codex 0.171.
  it.each<[string, Keys, Keys, string]>([
    [
      "no token endpoint",
      { authorization_url: "https://x.example", client_id: "c" },
      {},
      oneSource,
    ],
    ["two sources", { ...usual, "credential_export.command": "x" }, {}, oneSource],
    [
      "plain http",
      { ...usual, authorization_url: "http://x.example/a" },
      {},
      "gateway_oauth.authorization_url must use HTTPS (or loopback HTTP), without userinfo or a fragment",
    ],
    [
      "a fragment",
      { ...usual, token_url: "https://x.example/t#a" },
      {},
      "gateway_oauth.token_url must use HTTPS (or loopback HTTP), without userinfo or a fragment",
    ],
    [
      "port 0",
      { ...usual, redirect_port: "0" },
      {},
      "gateway_oauth requires a nonempty client_id and a nonzero redirect_port",
    ],
    [
      "a reserved header",
      { ...usual, delivery: '{kind="header",name="Cookie"}' },
      {},
      "gateway_oauth.delivery uses a reserved header. Choose a custom header or cookie accepted by your gateway",
    ],
    [
      "an invalid cookie",
      { ...usual, delivery: '{kind="cookie",name="a b"}' },
      {},
      "gateway_oauth.delivery needs a valid cookie name, such as gateway_session",
    ],
    [
      "an invalid scheme",
      { ...usual, delivery: '{kind="header",name="X-Gw",scheme="Bearer x"}' },
      {},
      "gateway_oauth.delivery needs an HTTP authentication scheme such as Bearer",
    ],
    ["two credentials in one header", usual, { env_key: "K" }, conflict],
    [
      "the signed-in credential in the same header",
      usual,
      { requires_openai_auth: "true" },
      conflict,
    ],
    [
      "a header that is set twice",
      { ...usual, delivery: '{kind="header",name="X-Gw"}' },
      { "http_headers.x-gw": '"1"' },
      "The x-gw header is set in both gateway_oauth.delivery and the provider's http_headers or env_http_headers. Remove the duplicate header from the provider or choose a different gateway delivery.",
    ],
  ])("is refused with %s, in Codex's words", async (_, oauth, provider, text) => {
    expect(await message(oauth, provider)).toBe(`-c: model_providers.gw: ${text}`);
  });

  it("names a sign-in as Codex does: by home, client, resource and scopes", () => {
    const id = gatewayCredentialId("/home/ada/.codex", {
      _tag: "Session",
      authorizationUrl: "https://login.example/authorize",
      tokenUrl: "https://login.example/token",
      clientId: "client-1",
      scopes: ["models"],
      store: "file",
    });
    expect(id).toMatch(/^provider-oauth\|[0-9a-f]{64}$/);
  });
});
