import * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import type { AdministratorRule, Config } from "./types.ts";
import type { CredentialFacts } from "../credential/index.ts";
import {
  CredentialForbidden,
  ForbiddenByAdministrator,
  LoginMethodDisabled,
  WorkspaceNotAllowed,
} from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import { methodRuleAgainst } from "./administrator-rules.ts";

/** The part of a configuration that restricts sign-ins. */
export type Restrictions = Pick<
  Config,
  "administratorRules" | "forcedLoginMethod" | "forcedWorkspaceIds"
>;

/** The login methods that a restriction distinguishes. */
export type LoginMethod = LoginMethodDisabled["method"];

/**
 * Fails if the configuration does not allow a login method, or allows no workspace for it (docs/protocol.md §10). Call
 * it before you read a secret or send anything.
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
): Effect.Effect<void, LoginMethodDisabled | WorkspaceNotAllowed> => {
  const name = method === "apiKey" ? "api" : "chatgpt";
  const rule = methodRuleAgainst(config.administratorRules, name);
  if (rule !== undefined) {
    const { key, where } = rule;
    return Effect.fail(new LoginMethodDisabled({ method, rule: { key, where } }));
  }
  if ((config.forcedLoginMethod ?? name) !== name)
    return Effect.fail(new LoginMethodDisabled({ method }));
  return name === "chatgpt" && allowedWorkspaceIds(config)?.length === 0
    ? checkWorkspaces(config, [])
    : Effect.void;
};

type Rules = ReadonlyArray<AdministratorRule> | undefined;

/**
 * Returns the ids of the ChatGPT workspaces that a sign-in may belong to: those that every restriction allows.
 * `undefined` means any workspace, an empty list means none.
 *
 * @example
 * ```ts
 * import { allowedWorkspaceIds } from "@agent-auth/login/config/restrictions";
 *
 * allowedWorkspaceIds({ forcedWorkspaceIds: ["ws-1"] }); // ["ws-1"]
 * allowedWorkspaceIds({}); // undefined
 * ```
 */
export const allowedWorkspaceIds = ({
  administratorRules = [],
  forcedWorkspaceIds,
}: Restrictions): ReadonlyArray<string> | undefined => {
  const lists = administratorRules.flatMap((rule) =>
    rule._tag === "Workspaces" ? [rule.allowed] : [],
  );
  const [first, ...others] =
    forcedWorkspaceIds === undefined ? lists : [forcedWorkspaceIds, ...lists];
  return first?.filter((id) => others.every((list) => list.includes(id)));
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
  const allowed = allowedWorkspaceIds(config);
  const violation = findViolation(allowed, workspaceIds);
  if (allowed === undefined || violation === undefined) return Effect.void;
  const by = workspaceRuleAgainst(config.administratorRules, workspaceIds);
  const rule = by === undefined ? undefined : { key: by.key, where: by.where };
  return Effect.fail(new WorkspaceNotAllowed(compact({ allowed, found: violation.found, rule })));
};

const workspaceRuleAgainst = (rules: Rules, workspaceIds: ReadonlyArray<string>) =>
  rules?.find(
    (rule) => rule._tag === "Workspaces" && findViolation(rule.allowed, workspaceIds) !== undefined,
  );

/**
 * Fails if the configuration forbids a credential that is in use (docs/protocol.md §10). The error is
 * `ForbiddenByAdministrator` if an administrator's rule forbids it, otherwise `CredentialForbidden`. Nothing is
 * removed, so `loggedOut` is false. `Bearer` credentials are not restricted. Workspace restrictions do not apply to API
 * keys or to tokens of an API project. For other credentials, the workspace that requests carry must be allowed, and so
 * must every workspace that the ChatGPT tokens claim.
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
 * console.log(error._tag, error.hint); // CredentialForbidden Unset or replace CODEX_API_KEY.
 * ```
 */
export const checkRestrictions = Effect.fnUntraced(function* (
  config: Restrictions,
  credential: CredentialFacts,
): Effect.fn.Return<void, CredentialForbidden | ForbiddenByAdministrator> {
  const { source } = credential;
  const isWorkload = credential._tag === "WorkloadIdentity";
  const forbid = (rule: "method" | "workspace", text: string) =>
    new CredentialForbidden({
      rule,
      text: isWorkload ? withoutConsequence(text) : text,
      source,
      loggedOut: false,
    });
  if (credential._tag === "Bearer") return;
  const isApiKey = usesApi(credential);
  yield* checkAdministratorRules(config.administratorRules, credential);
  if (config.forcedLoginMethod === "api" && !isApiKey) return yield* forbid("method", needsApiKey);
  if (config.forcedLoginMethod === "chatgpt" && isApiKey)
    return yield* forbid("method", needsChatgpt);
  const allowed = config.forcedWorkspaceIds;
  if (allowed === undefined || isApiKey) return;
  const violation = findViolation(allowed, yield* workspacesOf(credential));
  if (violation !== undefined)
    return yield* forbid("workspace", workspaceText(allowed, violation.found));
});

/**
 * Fails if an administrator's rule does not allow a credential. The credential is kept but must not be used. Rules
 * about workspaces do not apply to API keys or to tokens of an API project. `Bearer` credentials are not restricted.
 *
 * @example
 * ```ts
 * import { checkAdministratorRules } from "@agent-auth/login/config/restrictions";
 * import * as Effect from "effect/Effect";
 * import * as Redacted from "effect/Redacted";
 *
 * const where = "/etc/codex/requirements.toml";
 * const rule = { _tag: "LoginMethods", key: "allowed_login_methods", where, allowed: ["chatgpt"] } as const;
 * const check = checkAdministratorRules([rule], {
 *   _tag: "ApiKey",
 *   apiKey: Redacted.make("sk-example"),
 *   account: { isFedrampAccount: false },
 *   source: { _tag: "Ephemeral" },
 * });
 * const error = await Effect.runPromise(Effect.flip(check));
 * console.log(error.message); // allowed_login_methods in /etc/codex/requirements.toml does not allow API keys
 * ```
 */
export const checkAdministratorRules = Effect.fnUntraced(function* (
  rules: Rules,
  credential: CredentialFacts,
): Effect.fn.Return<void, ForbiddenByAdministrator> {
  if (rules === undefined || rules.length === 0 || credential._tag === "Bearer") return;
  const { _tag: kind, source } = credential;
  const method = methodRuleAgainst(rules, usesApi(credential) ? "api" : "chatgpt");
  if (method !== undefined) {
    const { allowed, key, where } = method;
    return yield* new ForbiddenByAdministrator({ key, where, kind, source, allowed });
  }
  if (usesApi(credential) || !rules.some(({ _tag }) => _tag === "Workspaces")) return;
  const workspaceIds = yield* workspacesOf(credential);
  const rule = workspaceRuleAgainst(rules, workspaceIds);
  if (rule === undefined) return;
  const { allowed, key, where } = rule;
  const found = findViolation(allowed, workspaceIds)?.found;
  return yield* new ForbiddenByAdministrator({
    key,
    where,
    kind,
    source,
    allowed,
    ...compact({ found }),
  });
});

const needsApiKey = "API key login is required, but ChatGPT is currently being used. Logging out.";
const needsChatgpt =
  "ChatGPT login is required, but an API key is currently being used. Logging out.";

/** Returns whether a credential is an API key or the token of an API project. Neither belongs to a workspace. */
const usesApi = (credential: CredentialFacts): boolean =>
  credential._tag === "ApiKey" ||
  (credential._tag === "WorkloadIdentity" && credential.backend === "api");

/**
 * Removes the parts of Codex's text that are wrong for a workload identity. It is not stored, so nothing is logged out.
 */
const withoutConsequence = (text: string): string =>
  text.replace(/\. Logging out\.$/, "").replace(/, but (?:ChatGPT|an API key) is .*$/, "");

const workspaceText = (allowed: ReadonlyArray<string>, found: string | undefined): string => {
  const [only, ...more] = allowed;
  const list = more.length === 0 ? `workspace ${only}` : `workspace(s) ${allowed.join(", ")}`;
  const fact = found === undefined ? "lack a workspace identifier" : `belong to ${found}`;
  return `Login is restricted to ${list}, but current credentials ${fact}. Logging out.`;
};

/**
 * Returns the first workspace that is not allowed, or `undefined` if all are allowed. If there are no workspaces,
 * `found` is undefined.
 */
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
