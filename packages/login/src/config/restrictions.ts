import * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import type { Config } from "./types.ts";
import type { CredentialFacts } from "../credential/index.ts";
import { CredentialForbidden, LoginMethodDisabled, WorkspaceNotAllowed } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";

/** The part of a configuration that restricts sign-ins. */
export type Restrictions = Pick<Config, "forcedLoginMethod" | "forcedWorkspaceIds">;

/** The login methods that a restriction distinguishes. */
export type LoginMethod = LoginMethodDisabled["method"];

/**
 * Fails if the configuration does not allow a login method. Call it before a secret is read or anything is sent
 * (docs/protocol.md §10).
 *
 * @example
 * ```ts
 * import { checkLoginMethod } from "@agent-auth/login/config/restrictions";
 * import * as Effect from "effect/Effect";
 *
 * const check = checkLoginMethod({ forcedLoginMethod: "chatgpt" }, "apiKey");
 * const error = await Effect.runPromise(Effect.flip(check));
 * console.log(error.message); // API key login is disabled. Use ChatGPT login instead.
 * ```
 */
export const checkLoginMethod = (
  config: Restrictions,
  method: LoginMethod,
): Effect.Effect<void, LoginMethodDisabled> => {
  const forbiddenBy = method === "apiKey" ? "chatgpt" : "api";
  return config.forcedLoginMethod === forbiddenBy
    ? Effect.fail(new LoginMethodDisabled({ method }))
    : Effect.void;
};

/**
 * Fails unless a new sign-in names at least one workspace and every workspace that it names is allowed.
 *
 * @example
 * ```ts
 * import { checkWorkspaces } from "@agent-auth/login/config/restrictions";
 * import * as Effect from "effect/Effect";
 *
 * const check = checkWorkspaces({ forcedWorkspaceIds: ["ws-1"] }, ["ws-2"]);
 * const error = await Effect.runPromise(Effect.flip(check));
 * console.log(error.found); // ws-2
 * ```
 */
export const checkWorkspaces = (
  config: Restrictions,
  workspaceIds: ReadonlyArray<string>,
): Effect.Effect<void, WorkspaceNotAllowed> => {
  const allowed = config.forcedWorkspaceIds;
  const violation = findViolation(allowed, workspaceIds);
  return allowed === undefined || violation === undefined
    ? Effect.void
    : Effect.fail(new WorkspaceNotAllowed(compact({ allowed, found: violation.found })));
};

/**
 * Fails if the configuration forbids a credential that is in use (docs/protocol.md §10). Nothing is removed, so
 * `loggedOut` is false in the error. API keys pass a workspace restriction. For any other credential, the workspace that
 * requests carry has to be allowed, and each one that its ChatGPT tokens claim.
 *
 * @example
 * ```ts
 * import { checkRestrictions } from "@agent-auth/login/config/restrictions";
 * import * as Effect from "effect/Effect";
 * import * as Redacted from "effect/Redacted";
 *
 * const check = checkRestrictions(
 *   { forcedLoginMethod: "chatgpt" },
 *   {
 *     _tag: "ApiKey",
 *     apiKey: Redacted.make("sk-example"),
 *     account: { isFedrampAccount: false },
 *     source: { _tag: "Environment", variable: "CODEX_API_KEY" },
 *   },
 * );
 * const error = await Effect.runPromise(Effect.flip(check));
 * console.log(error.rule, error.hint); // method Unset or replace CODEX_API_KEY.
 * ```
 */
export const checkRestrictions = Effect.fnUntraced(function* (
  config: Restrictions,
  credential: CredentialFacts,
): Effect.fn.Return<void, CredentialForbidden> {
  const { source } = credential;
  const forbid = (rule: "method" | "workspace", text: string) =>
    new CredentialForbidden({ rule, text, source, loggedOut: false });
  if (credential._tag === "Bearer") return;
  const isApiKey = credential._tag === "ApiKey";
  if (config.forcedLoginMethod === "api" && !isApiKey) return yield* forbid("method", needsApiKey);
  if (config.forcedLoginMethod === "chatgpt" && isApiKey)
    return yield* forbid("method", needsChatgpt);
  const allowed = config.forcedWorkspaceIds;
  if (allowed === undefined || isApiKey) return;
  const violation = findViolation(allowed, yield* workspacesOf(credential));
  if (violation !== undefined)
    return yield* forbid("workspace", workspaceText(allowed, violation.found));
});

const needsApiKey = "API key login is required, but ChatGPT is currently being used. Logging out.";
const needsChatgpt =
  "ChatGPT login is required, but an API key is currently being used. Logging out.";

const workspaceText = (allowed: ReadonlyArray<string>, found: string | undefined): string => {
  const [only, ...more] = allowed;
  const list = more.length === 0 ? `workspace ${only}` : `workspace(s) ${allowed.join(", ")}`;
  const fact = found === undefined ? "lack a workspace identifier" : `belong to ${found}`;
  return `Login is restricted to ${list}, but current credentials ${fact}. Logging out.`;
};

/** Returns the first workspace that is not allowed, or nothing as `found` if there is no workspace at all. */
const findViolation = (
  allowed: ReadonlyArray<string> | undefined,
  workspaceIds: ReadonlyArray<string>,
): { readonly found: string | undefined } | undefined => {
  if (allowed === undefined) return undefined;
  const found = workspaceIds.find((id) => !allowed.includes(id));
  return workspaceIds.length > 0 && found === undefined ? undefined : { found };
};

/**
 * Returns the workspace that requests carry and those that the credential's tokens claim; none if requests carry none.
 * The decoder is loaded only here, because an API key and an unrestricted sign-in do not need it.
 */
const workspacesOf = Effect.fnUntraced(function* (credential: CredentialFacts) {
  const carried = credential.account.accountId;
  if (carried === undefined) return [];
  const { decodeUnverifiedClaims } = yield* Effect.promise(
    () => import("../oauth/id-token-claims.ts"),
  );
  const claimed = tokensOf(credential).map((token) => decodeUnverifiedClaims(token)?.accountId);
  return [...new Set([carried, ...claimed.filter((id) => id !== undefined)])];
});

/** The tokens that can claim a workspace. */
const tokensOf = (credential: CredentialFacts): ReadonlyArray<Redacted.Redacted> => {
  if (credential._tag !== "Chatgpt" && credential._tag !== "ExternalChatgpt") return [];
  const { idToken, accessToken } = credential;
  return idToken === undefined ? [accessToken] : [idToken, accessToken];
};
