import * as Effect from "effect/Effect";
import {
  BaseUrlInsecure,
  BaseUrlInvalid,
  type BaseUrlError,
  PathSegmentInvalid,
} from "../errors/index.ts";
import { isId } from "../encoding/text.ts";

/** Options of every base URL. */
export interface BaseUrlOptions {
  /** Accepts plain `http` for hosts other than loopback. Default false. */
  readonly allowInsecureHttp?: boolean;
}

/** Base URL of the ChatGPT backend that Codex uses by default. */
export const defaultChatgptBaseUrl = "https://chatgpt.com/backend-api";
/** Base of OpenAI's accounts API: agent tasks are registered and personal access tokens looked up there by default. */
export const defaultAccountsApiBaseUrl = "https://auth.openai.com/api/accounts";

/** The accounts API that belongs to ChatGPT's staging backend. */
const stagingOrigin = "https://chatgpt-staging.com";
const stagingAccountsApiBaseUrl = "https://auth.api.openai.org/api/accounts";

const chatgptOrigins: ReadonlySet<string> = new Set([
  "https://chatgpt.com",
  "https://chat.openai.com",
]);

const ipv4Loopback = /^127(?:\.\d{1,3}){3}$/;

/**
 * Returns whether a host name, as `URL.hostname` spells it, is a loopback host: `localhost`, 127.0.0.0/8 or `[::1]`.
 *
 * @example
 * ```ts
 * import { isLoopbackHost } from "@agent-auth/agent-identity/urls";
 *
 * isLoopbackHost("127.0.0.1"); // true
 * isLoopbackHost("localhost.example.com"); // false
 * ```
 */
export const isLoopbackHost = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || ipv4Loopback.test(hostname);

/**
 * Returns whether a URL has the scheme `https` or `http`.
 *
 * @example
 * ```ts
 * import { isHttpUrl } from "@agent-auth/agent-identity/urls";
 *
 * isHttpUrl(new URL("ftp://authority.example")); // false
 * ```
 */
export const isHttpUrl = ({ protocol }: URL): boolean =>
  protocol === "https:" || protocol === "http:";

/**
 * Returns whether a URL is protected in transit: it uses https, or http and a loopback host.
 *
 * @example
 * ```ts
 * import { isHttpsOrLoopback } from "@agent-auth/agent-identity/urls";
 *
 * isHttpsOrLoopback(new URL("http://localhost:8080")); // true
 * isHttpsOrLoopback(new URL("http://plain.example")); // false
 * isHttpsOrLoopback(new URL("ftp://localhost")); // false
 * ```
 */
export const isHttpsOrLoopback = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && isLoopbackHost(hostname));

/**
 * Returns a URL as errors and logs show it: origin and path only, since user info, query and fragment may be secret.
 *
 * @example
 * ```ts
 * import { redactUrl } from "@agent-auth/agent-identity/urls";
 *
 * redactUrl(new URL("https://user:secret@authority.example/jwks?key=secret"));
 * // "https://authority.example/jwks"
 * ```
 */
export const redactUrl = (url: URL): string => url.origin + url.pathname;

/**
 * Returns whether a URL has a loopback host (see `isLoopbackHost`). Text that is not a URL gives false.
 *
 * @example
 * ```ts
 * import { isLoopbackUrl } from "@agent-auth/agent-identity/urls";
 *
 * isLoopbackUrl("http://localhost:8080/backend-api"); // true
 * isLoopbackUrl("https://chatgpt.com"); // false
 * ```
 */
export const isLoopbackUrl = (url: string): boolean => {
  const parsed = URL.parse(url);
  return parsed !== null && isLoopbackHost(parsed.hostname);
};

const problemOf = (url: URL): string | undefined => {
  if (!isHttpUrl(url)) return "it is neither https nor http";
  if (url.username !== "" || url.password !== "") return "it has a user name or password";
  if (url.search !== "" || url.hash !== "") return "it has a query or fragment";
  return undefined;
};

/**
 * Returns a configured base URL in normal form: trimmed, lower-case host, no default port, no dot segments, no trailing
 * slashes. Fails with `BaseUrlInvalid` if the text is not an absolute http(s) URL or has user info, a query or a fragment,
 * and with `BaseUrlInsecure` for plain http on a host other than loopback.
 *
 * @example
 * ```ts
 * import { normalizeBaseUrl } from "@agent-auth/agent-identity/urls";
 * import * as Effect from "effect/Effect";
 *
 * await Effect.runPromise(normalizeBaseUrl(" https://ChatGPT.com:443/backend-api/ "));
 * // "https://chatgpt.com/backend-api"
 * ```
 */
export const normalizeBaseUrl = Effect.fnUntraced(function* (
  base: string,
  options?: BaseUrlOptions,
): Effect.fn.Return<string, BaseUrlError> {
  const url = URL.parse(base.trim());
  if (url === null) return yield* new BaseUrlInvalid({ problem: "it is not an absolute URL" });
  const problem = problemOf(url);
  if (problem !== undefined) return yield* new BaseUrlInvalid({ problem });
  if (!isHttpsOrLoopback(url) && options?.allowInsecureHttp !== true) {
    return yield* new BaseUrlInsecure({ origin: url.origin });
  }
  let end = url.pathname.length;
  while (end > 0 && url.pathname[end - 1] === "/") end -= 1;
  return url.origin + url.pathname.slice(0, end);
});

/**
 * The rules of docs/protocol.md §5 over whole path segments; `segments` is the path of a normalised base. `root` is the
 * backend's own path, and `accounts` the path below `root` under which most endpoints for accounts are.
 */
const backendPath = (
  origin: string,
  segments: ReadonlyArray<string>,
): { readonly root: string; readonly accounts: "" | "/wham" } => {
  const path = segments.map((segment) => `/${segment}`).join("");
  // First, so that `/api/codex` is neither removed nor doubled, on any host and below any path.
  if (segments.at(-2) === "api" && segments.at(-1) === "codex") return { root: path, accounts: "" };
  if (chatgptOrigins.has(origin) && (path === "" || path === "/codex"))
    return { root: "/backend-api", accounts: "/wham" };
  if (segments.includes("backend-api")) {
    const root = segments.at(-1) === "codex" ? path.slice(0, -"/codex".length) : path;
    return { root, accounts: "/wham" };
  }
  return { root: `${path}/api/codex`, accounts: "" };
};

const backendAt = Effect.fnUntraced(function* (base: string, options?: BaseUrlOptions) {
  const { origin, pathname } = new URL(yield* normalizeBaseUrl(base, options));
  const { accounts, root } = backendPath(
    origin,
    pathname === "/" ? [] : pathname.slice(1).split("/"),
  );
  return { accounts: origin + root + accounts, root: origin + root };
});

/**
 * Returns the base URL of a backend's endpoints for accounts, from its configured base URL: `/wham` below `/backend-api`,
 * else `/api/codex` (docs/protocol.md §5). Fails as `normalizeBaseUrl` does.
 *
 * @example
 * ```ts
 * import { accountBackendUrl } from "@agent-auth/agent-identity/urls";
 * import * as Effect from "effect/Effect";
 *
 * await Effect.runPromise(accountBackendUrl("https://chatgpt.com/backend-api"));
 * // "https://chatgpt.com/backend-api/wham"
 * ```
 */
export const accountBackendUrl = (
  base: string,
  options?: BaseUrlOptions,
): Effect.Effect<string, BaseUrlError> =>
  Effect.map(backendAt(base, options), ({ accounts }) => accounts);

/**
 * Returns the URL at which a sign-in gets a token of another of its workspaces, from the backend's configured base URL.
 * Fails as `normalizeBaseUrl` does.
 *
 * @example
 * ```ts
 * import { switchWorkspaceUrl } from "@agent-auth/agent-identity/urls";
 * import * as Effect from "effect/Effect";
 *
 * await Effect.runPromise(switchWorkspaceUrl("https://chatgpt.com/backend-api"));
 * // "https://chatgpt.com/backend-api/accounts/switch-workspace-token"
 * ```
 */
export const switchWorkspaceUrl = (
  base: string,
  options?: BaseUrlOptions,
): Effect.Effect<string, BaseUrlError> =>
  Effect.map(backendAt(base, options), ({ root }) => `${root}/accounts/switch-workspace-token`);

/**
 * Returns the URL of the JWKS that verifies a backend's agent identity JWTs, from its configured base URL. Fails as
 * `normalizeBaseUrl` does.
 *
 * @example
 * ```ts
 * import { jwksUrl } from "@agent-auth/agent-identity/urls";
 * import * as Effect from "effect/Effect";
 *
 * await Effect.runPromise(jwksUrl("https://chatgpt.com"));
 * // "https://chatgpt.com/backend-api/wham/agent-identities/jwks"
 * ```
 */
export const jwksUrl = (
  base: string,
  options?: BaseUrlOptions,
): Effect.Effect<string, BaseUrlError> =>
  Effect.map(accountBackendUrl(base, options), (url) => `${url}/agent-identities/jwks`);

/**
 * Returns the normalised base URL of the API that registers tasks: the override, else a loopback ChatGPT base itself, else
 * the accounts API of ChatGPT's staging backend if that is the base, else `defaultAccountsApiBaseUrl`. Fails as
 * `normalizeBaseUrl` does.
 *
 * @example
 * ```ts
 * import { taskApiBaseUrl } from "@agent-auth/agent-identity/urls";
 * import * as Effect from "effect/Effect";
 *
 * await Effect.runPromise(taskApiBaseUrl({ chatgptBaseUrl: "https://chatgpt.com/backend-api" }));
 * // "https://auth.openai.com/api/accounts"
 * ```
 */
export const taskApiBaseUrl = (
  from: { readonly chatgptBaseUrl: string; readonly override?: string | undefined },
  options?: BaseUrlOptions,
): Effect.Effect<string, BaseUrlError> => {
  if (from.override !== undefined && from.override.trim() !== "") {
    return normalizeBaseUrl(from.override, options);
  }
  const base = from.chatgptBaseUrl.trim();
  if (isLoopbackUrl(base)) return normalizeBaseUrl(base, options);
  return Effect.succeed(
    URL.parse(base)?.origin === stagingOrigin
      ? stagingAccountsApiBaseUrl
      : defaultAccountsApiBaseUrl,
  );
};

/**
 * Returns the URL at which tasks of an agent runtime are registered; `base` is a normalised task API base. The id is
 * percent-encoded. Fails with `PathSegmentInvalid` for an id that cannot be one path segment: `.` and `..` are resolved
 * even when encoded.
 *
 * @example
 * ```ts
 * import { taskRegistrationUrl } from "@agent-auth/agent-identity/urls";
 * import * as Effect from "effect/Effect";
 *
 * await Effect.runPromise(taskRegistrationUrl("https://authority.example", "agent/123"));
 * // "https://authority.example/v1/agent/agent%2F123/task/register"
 * ```
 */
export const taskRegistrationUrl = (
  base: string,
  agentRuntimeId: string,
): Effect.Effect<string, PathSegmentInvalid> =>
  isId(agentRuntimeId)
    ? Effect.succeed(`${base}/v1/agent/${encodeURIComponent(agentRuntimeId)}/task/register`)
    : Effect.fail(new PathSegmentInvalid({ segment: "agent_runtime_id" }));
