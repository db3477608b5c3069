import * as Effect from "effect/Effect";
import {
  BaseUrlInsecure,
  BaseUrlInvalid,
  type BaseUrlError,
  PathSegmentInvalid,
} from "../errors/index.ts";
import { isId } from "../record/id.ts";

/** Says out loud that plain `http` may leave this machine. Absent means no. */
export interface BaseUrlOptions {
  readonly allowInsecureHttp?: boolean;
}

/** Base URL of the ChatGPT backend that Codex uses by default. */
export const defaultChatgptBaseUrl = "https://chatgpt.com/backend-api";
/** Base of OpenAI's accounts API: agent tasks are registered and personal access tokens looked up there by default. */
export const defaultAccountsApiBaseUrl = "https://auth.openai.com/api/accounts";

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

/** Returns whether a URL has the scheme `https` or `http`. */
export const isHttpUrl = ({ protocol }: URL): boolean =>
  protocol === "https:" || protocol === "http:";

/** Returns whether an http(s) URL is protected in transit: it uses https, or a loopback host. */
export const isHttpsOrLoopback = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || isLoopbackHost(hostname);

/** A URL as errors and logs show it: origin and path only, since user info, query and fragment may hold secrets. */
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
  if (url.username !== "" || url.password !== "") return "it holds a user name or password";
  if (url.search !== "" || url.hash !== "") return "it holds a query or fragment";
  return undefined;
};

/**
 * A configured base as the rest of the package expects it: trimmed, canonical (lower-case host, no default port,
 * no dot segments), without trailing slashes. Fails with `BaseUrlInvalid` where the text is no absolute http(s)
 * URL or holds user info, a query or a fragment; and with `BaseUrlInsecure` for plain http off loopback.
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

/** The rules of docs/protocol.md §5 over whole path segments; `segments` is the path of a normalised base. */
const jwksPath = (origin: string, segments: ReadonlyArray<string>): string => {
  const path = segments.map((segment) => `/${segment}`).join("");
  // First, so that `/api/codex` is neither cut nor doubled, on whatever host and below whatever path.
  if (segments.at(-2) === "api" && segments.at(-1) === "codex") {
    return `${path}/agent-identities/jwks`;
  }
  if (chatgptOrigins.has(origin) && (path === "" || path === "/codex")) {
    return "/backend-api/wham/agent-identities/jwks";
  }
  if (segments.includes("backend-api")) {
    const kept = segments.at(-1) === "codex" ? path.slice(0, -"/codex".length) : path;
    return `${kept}/wham/agent-identities/jwks`;
  }
  return `${path}/api/codex/agent-identities/jwks`;
};

/**
 * The URL of the JWKS that verifies agent identity JWTs of a backend, from its configured base. Fails as
 * `normalizeBaseUrl` does.
 */
export const jwksUrl = Effect.fnUntraced(function* (
  base: string,
  options?: BaseUrlOptions,
): Effect.fn.Return<string, BaseUrlError> {
  const { origin, pathname } = new URL(yield* normalizeBaseUrl(base, options));
  const segments = pathname === "/" ? [] : pathname.slice(1).split("/");
  return origin + jwksPath(origin, segments);
});

/**
 * The base of the API that registers tasks, normalised: the override, else a loopback ChatGPT base itself, else
 * OpenAI's. Fails as `normalizeBaseUrl` does.
 */
export const taskApiBaseUrl = (
  from: { readonly chatgptBaseUrl: string; readonly override?: string | undefined },
  options?: BaseUrlOptions,
): Effect.Effect<string, BaseUrlError> => {
  if (from.override !== undefined && from.override.trim() !== "") {
    return normalizeBaseUrl(from.override, options);
  }
  return isLoopbackUrl(from.chatgptBaseUrl.trim())
    ? normalizeBaseUrl(from.chatgptBaseUrl, options)
    : Effect.succeed(defaultAccountsApiBaseUrl);
};

/**
 * Where the tasks of a runtime are registered; `base` is a normalised task API base. The id is percent-encoded.
 * Fails with `PathSegmentInvalid` for an id that cannot be one path segment: `.` and `..` would climb even when encoded.
 */
export const taskRegistrationUrl = (
  base: string,
  agentRuntimeId: string,
): Effect.Effect<string, PathSegmentInvalid> =>
  isId(agentRuntimeId)
    ? Effect.succeed(`${base}/v1/agent/${encodeURIComponent(agentRuntimeId)}/task/register`)
    : Effect.fail(new PathSegmentInvalid({ segment: "agent_runtime_id" }));
