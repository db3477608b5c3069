import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";
import { accountIdHeader } from "../credential/index.ts";
import { compact } from "../internal/compact.ts";
import type { TableReader } from "./table-reader.ts";
import type { CommandTokenConfig, GatewayDelivery, GatewayOauthConfig } from "./types.ts";

// The texts are those of Codex.

/** Returns `[model_providers.<id>.gateway_oauth]`: one source of the token, and the header or cookie that carries it. */
export const readGatewayOauth = (
  provider: TableReader,
  readCommand: (reader: TableReader | undefined) => CommandTokenConfig | undefined,
): GatewayOauthConfig | undefined => {
  const reader = provider.tableAt("gateway_oauth");
  if (reader === undefined) return undefined;
  const fail = (text: string): never =>
    provider.fail("gateway_oauth", `${provider.path.join(".")}: ${text}`);
  if (provider.string("base_url") === undefined) fail("gateway_oauth requires base_url");
  const delivery = readDelivery(reader, fail);
  const command = readCommand(reader.tableAt("credential_export"));
  const authorizationUrl = reader.string("authorization_url");
  const tokenUrl = reader.string("token_url");
  const clientId = reader.string("client_id");
  const settings = [authorizationUrl, tokenUrl, clientId];
  const isExported = command !== undefined;
  if (settings.some((value) => (value === undefined) !== isExported))
    fail(
      "choose one gateway credential source: credential_export or OAuth settings (authorization_url, token_url, and client_id)",
    );
  if (command !== undefined) return { _tag: "Command", command, delivery };
  const redirectPort = reader.count("redirect_port");
  if (clientId?.trim() === "" || redirectPort === 0 || (redirectPort ?? 1) > 65_535)
    fail("gateway_oauth requires a nonempty client_id and a nonzero redirect_port");
  const deviceAuthorizationUrl = reader.string("device_authorization_url");
  const urls = { authorization_url: authorizationUrl, token_url: tokenUrl };
  for (const [key, url] of Object.entries({
    ...urls,
    device_authorization_url: deviceAuthorizationUrl,
  }))
    if (url !== undefined && !isUsable(url))
      fail(
        `gateway_oauth.${key} must use HTTPS (or loopback HTTP), without userinfo or a fragment`,
      );
  return {
    _tag: "Session",
    authorizationUrl: authorizationUrl ?? "",
    tokenUrl: tokenUrl ?? "",
    clientId: clientId ?? "",
    scopes: reader.strings("scopes") ?? [],
    store: reader.oneOf("credentials_store", ["file", "keyring"]) ?? "keyring",
    delivery,
    ...compact({ deviceAuthorizationUrl, redirectPort, resource: reader.string("resource") }),
  };
};

const isUsable = (text: string): boolean => {
  const url = URL.parse(text);
  return (
    url !== null &&
    (url.protocol === "https:" || (url.protocol === "http:" && isLoopbackUrl(text))) &&
    url.username === "" &&
    url.password === "" &&
    !text.includes("#")
  );
};

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Headers that frame a request, or that other parts of it set. */
const reserved: ReadonlySet<string> = new Set([
  "accept",
  accountIdHeader.toLowerCase(),
  "connection",
  "content-length",
  "content-type",
  "cookie",
  "host",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
]);

const readDelivery = (reader: TableReader, fail: (text: string) => never): GatewayDelivery => {
  const table = reader.tableAt("delivery");
  if (table === undefined) return { kind: "header", name: "Authorization", scheme: "Bearer" };
  const kind = table.oneOf("kind", ["header", "cookie"]);
  const name = table.string("name") ?? "";
  if (kind === "cookie") {
    if (!token.test(name))
      fail("gateway_oauth.delivery needs a valid cookie name, such as gateway_session");
    return { kind, name };
  }
  if (kind === undefined) return table.mustBe("kind", '"header" or "cookie"');
  if (!token.test(name))
    fail("gateway_oauth.delivery needs a valid HTTP header name, such as X-Gateway-Auth");
  if (reserved.has(name.toLowerCase()))
    fail(
      "gateway_oauth.delivery uses a reserved header. Choose a custom header or cookie accepted by your gateway",
    );
  const scheme = table.string("scheme");
  const isAuthorization = name.toLowerCase() === "authorization";
  if (scheme === undefined)
    return isAuthorization ? { kind, name, scheme: "Bearer" } : { kind, name };
  if (!token.test(scheme))
    fail("gateway_oauth.delivery needs an HTTP authentication scheme such as Bearer");
  return { kind, name, scheme };
};

/** Fails if two credentials would need the same header. */
export const refuseHeaderConflict = (
  provider: TableReader,
  config: {
    readonly gatewayOauth?: GatewayOauthConfig;
    readonly hasOwnCredential: boolean;
    readonly headers: ReadonlyArray<string>;
  },
): void => {
  const { gatewayOauth, hasOwnCredential, headers } = config;
  if (gatewayOauth === undefined) return;
  const { delivery } = gatewayOauth;
  const header = delivery.kind === "cookie" ? "cookie" : delivery.name.toLowerCase();
  const path = provider.path.join(".");
  if (header === "authorization" && hasOwnCredential)
    provider.fail(
      "gateway_oauth",
      `${path}: Header conflict. Codex is configured to send both the model provider credential and the gateway token in the Authorization header. Set gateway_oauth.delivery to a different header or cookie that your gateway accepts for its token.`,
    );
  const twice = headers.find((name) => name.toLowerCase() === header);
  if (twice !== undefined)
    provider.fail(
      "gateway_oauth",
      `${path}: The ${twice} header is set in both gateway_oauth.delivery and the provider's http_headers or env_http_headers. Remove the duplicate header from the provider or choose a different gateway delivery.`,
    );
};
