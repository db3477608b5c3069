import * as Effect from "effect/Effect";
import type * as Redacted from "effect/Redacted";
import type { Config } from "./index.ts";
import type { Credential } from "../credential/index.ts";
import { CredentialForbidden, LoginMethodDisabled, WorkspaceNotAllowed } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";

/** The part of a configuration that restricts sign-ins. */
export type Restrictions = Pick<Config, "forcedLoginMethod" | "forcedWorkspaceIds">;

/** The ways of signing in that a restriction tells apart. */
export type LoginMethod = LoginMethodDisabled["method"];

/**
 * Fails where the configuration rules a way of signing in out. To be asked before a secret is read or anything is
 * sent (docs/protocol.md §10).
 */
export const checkLoginMethod = (
  config: Restrictions,
  method: LoginMethod,
): Effect.Effect<void, LoginMethodDisabled> => {
  const needed = method === "apiKey" ? "chatgpt" : "api";
  return config.forcedLoginMethod === needed
    ? Effect.fail(new LoginMethodDisabled({ method }))
    : Effect.void;
};

/** Fails unless every one of the workspaces a new sign-in speaks of is allowed, and it speaks of one at least. */
export const checkWorkspaces = (
  config: Restrictions,
  workspaceIds: ReadonlyArray<string>,
): Effect.Effect<void, WorkspaceNotAllowed> => {
  const allowed = config.forcedWorkspaceIds;
  const verdict = judgeWorkspaces(allowed, workspaceIds);
  return allowed === undefined || verdict === undefined
    ? Effect.void
    : Effect.fail(new WorkspaceNotAllowed(compact({ allowed, found: verdict.found })));
};

/**
 * Fails where the configuration forbids a credential that is in use (docs/protocol.md §10). Nothing is removed here, so
 * `loggedOut` is false in the error. An API key passes a workspace restriction; the workspace of anything else is
 * the one that requests will carry and, where there are ChatGPT tokens, each one that these claim as well.
 */
export const checkRestrictions = Effect.fnUntraced(function* (
  config: Restrictions,
  credential: Credential,
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
  const verdict = judgeWorkspaces(allowed, yield* workspacesOf(credential));
  if (verdict !== undefined)
    return yield* forbid("workspace", workspaceText(allowed, verdict.found));
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

/** `undefined`: allowed. Else the first workspace that is not, or nothing where there is none at all. */
const judgeWorkspaces = (
  allowed: ReadonlyArray<string> | undefined,
  workspaceIds: ReadonlyArray<string>,
): { readonly found: string | undefined } | undefined => {
  if (allowed === undefined) return undefined;
  const stranger = workspaceIds.find((id) => !allowed.includes(id));
  return workspaceIds.length > 0 && stranger === undefined ? undefined : { found: stranger };
};

/**
 * Every workspace that a credential names: the one that requests will carry (without it, none), and those that its
 * tokens claim, whatever the mode of the stored document says. Reading a token loads a parser, which an API key or an
 * unrestricted sign-in can do without.
 */
const workspacesOf = Effect.fnUntraced(function* (credential: Credential) {
  const carried = credential.account.accountId;
  if (carried === undefined) return [];
  const { decodeUnverifiedClaims } = yield* Effect.promise(
    () => import("../oauth/id-token-claims.ts"),
  );
  const claimed = tokensOf(credential).map((token) => decodeUnverifiedClaims(token)?.accountId);
  return [...new Set([carried, ...claimed.filter((id) => id !== undefined)])];
});

/** The tokens that may say whose they are. */
const tokensOf = (credential: Credential): ReadonlyArray<Redacted.Redacted> => {
  if (credential._tag !== "Chatgpt" && credential._tag !== "ExternalChatgpt") return [];
  const { idToken, accessToken } = credential;
  return idToken === undefined ? [accessToken] : [idToken, accessToken];
};
