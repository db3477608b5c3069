import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";
import type { Credential } from "@agent-auth/login/credential";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { ProviderBaseUrlInvalid } from "../errors/index.ts";

/** Where a provider's requests go. Only requests to `origin` get a credential. */
export interface RequestTarget {
  /** Absolute http(s) URL without a trailing slash: paths are appended to it. */
  readonly baseUrl: string;
  /** Scheme, host and port, as `URL.origin` writes them. */
  readonly origin: string;
  /** Path of the base URL without a trailing slash; may be empty. */
  readonly basePath: string;
}

/**
 * Parses a base URL, which has to be absolute, http or https, without user name, password, query or fragment.
 *
 * @example
 * ```ts
 * import { parseBaseUrl } from "@agent-auth/model-provider";
 *
 * parseBaseUrl("https://api.example/v1/", { providerId: "local", setting: "base_url" });
 * // success: { baseUrl: "https://api.example/v1", origin: "https://api.example", basePath: "/v1" }
 * ```
 */
export const parseBaseUrl = (
  text: string,
  about: { readonly providerId: string; readonly setting: string },
): Result.Result<RequestTarget, ProviderBaseUrlInvalid> => {
  const url = URL.parse(text.trim());
  const reason = url === null ? "notAUrl" : flaw(url);
  if (url === null || reason !== null)
    return Result.fail(new ProviderBaseUrlInvalid({ ...about, reason: reason ?? "notAUrl" }));
  const basePath = url.pathname.replace(/\/+$/, "");
  return Result.succeed({ baseUrl: url.origin + basePath, origin: url.origin, basePath });
};

const flaw = (url: URL): ProviderBaseUrlInvalid["reason"] | null => {
  if (url.protocol !== "https:" && url.protocol !== "http:") return "notHttp";
  if (url.username !== "" || url.password !== "") return "holdsCredentials";
  if (url.search !== "" || url.hash !== "" || url.href.endsWith("?") || url.href.endsWith("#"))
    return "holdsQueryOrFragment";
  return null;
};

/** Returns whether requests to this target use plain http to another machine. */
export const isInsecure = (target: RequestTarget): boolean =>
  target.origin.startsWith("http:") && !isLoopbackUrl(target.origin);

/** The default base URLs of docs/protocol.md §12, before any `base_url`. */
export const apiBaseUrl = "https://api.openai.com/v1";
export const fedrampApiBaseUrl = "https://gov.api.openai.com/v1";

const chatgptHosts: ReadonlySet<string> = new Set(["chatgpt.com", "chat.openai.com"]);

/**
 * Returns the base URL for model requests to a backend at `chatgpt_base_url` (docs/protocol.md §12). A path with the
 * segment `backend-api` gives base + `/codex`, a path that ends in `/api/codex` is used as it is, and any other gives
 * base + `/api/codex`. A final `/codex` is not doubled. For ChatGPT hosts without a path, the path is `/backend-api`,
 * as in §5.
 */
export const codexBaseUrl = (chatgptBase: RequestTarget): string => {
  const segments = chatgptBase.basePath.split("/").slice(1);
  const last = segments.at(-1);
  if (last === "codex" && segments.at(-2) === "api") return chatgptBase.baseUrl;
  const path = (last === "codex" ? segments.slice(0, -1) : segments).join("/");
  const root = path === "" ? chatgptBase.origin : `${chatgptBase.origin}/${path}`;
  if (path.split("/").includes("backend-api")) return `${root}/codex`;
  return path === "" && chatgptHosts.has(new URL(chatgptBase.origin).host)
    ? `${root}/backend-api/codex`
    : `${chatgptBase.baseUrl}/api/codex`;
};

const fedrampKeyPrefix = "sk-svcacct-fedramp-";

/** Returns whether a credential belongs to a FedRAMP account: its account says so, or the prefix of its key does. */
export const isFedramp = (credential: Credential): boolean =>
  credential.account.isFedrampAccount ||
  (credential._tag === "ApiKey" && hasFedrampPrefix(credential.apiKey));

/** Returns whether an API key is valid only at the government endpoint. */
export const hasFedrampPrefix = (apiKey: Redacted.Redacted): boolean =>
  Redacted.value(apiKey).startsWith(fedrampKeyPrefix);
