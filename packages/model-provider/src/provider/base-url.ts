import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";
import type { Credential } from "@agent-auth/login/credential";
import * as Redacted from "effect/Redacted";
import * as Result from "effect/Result";
import { InvalidBaseUrl } from "../errors/index.ts";

/** Where a provider's requests go. An identity is written on requests to `origin` only. */
export interface RequestTarget {
  /** Absolute http(s) URL without a trailing slash: paths are appended to it. */
  readonly baseUrl: string;
  /** Scheme, host and port, as `URL.origin` writes them. */
  readonly origin: string;
  /** Path of the base URL without a trailing slash; empty where there is none. */
  readonly basePath: string;
}

/** Reads a base URL: absolute, http or https, without credentials, query or fragment. Nothing is contacted. */
export const parseBaseUrl = (
  text: string,
  about: { readonly providerId: string; readonly setting: string },
): Result.Result<RequestTarget, InvalidBaseUrl> => {
  const url = URL.parse(text.trim());
  const reason = url === null ? "notAUrl" : flaw(url);
  if (url === null || reason !== null)
    return Result.fail(new InvalidBaseUrl({ ...about, reason: reason ?? "notAUrl" }));
  const basePath = url.pathname.replace(/\/+$/, "");
  return Result.succeed({ baseUrl: url.origin + basePath, origin: url.origin, basePath });
};

const flaw = (url: URL): InvalidBaseUrl["reason"] | null => {
  if (url.protocol !== "https:" && url.protocol !== "http:") return "notHttp";
  if (url.username !== "" || url.password !== "") return "holdsCredentials";
  if (url.search !== "" || url.hash !== "" || url.href.endsWith("?") || url.href.endsWith("#"))
    return "holdsQueryOrFragment";
  return null;
};

/** Whether requests to this target could be read on a network: plain http to a host that is not this machine. */
export const isInsecure = (target: RequestTarget): boolean =>
  target.origin.startsWith("http:") && !isLoopbackUrl(target.origin);

/** The default base URLs of docs/protocol.md §12, before any `base_url`. */
export const apiBaseUrl = "https://api.openai.com/v1";
export const fedrampApiBaseUrl = "https://gov.api.openai.com/v1";

const chatgptHosts: ReadonlySet<string> = new Set(["chatgpt.com", "chat.openai.com"]);

/**
 * Where a backend under `chatgpt_base_url` takes model requests (docs/protocol.md §12): a path that holds the segment
 * `backend-api` gives base + `/codex`, a path that ends in `/api/codex` is used as it is, any other gives base +
 * `/api/codex`. A final `/codex` is never doubled, and the bare ChatGPT hosts mean their `/backend-api`, as in §5.
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

/** Whether a credential speaks for a FedRAMP account: its account says so, or its key's prefix does. */
export const isFedramp = (credential: Credential): boolean =>
  credential.account.isFedrampAccount ||
  (credential._tag === "ApiKey" && hasFedrampPrefix(credential.apiKey));

/** Whether an API key is one of those that only the government endpoint knows. */
export const hasFedrampPrefix = (apiKey: Redacted.Redacted): boolean =>
  Redacted.value(apiKey).startsWith(fedrampKeyPrefix);
