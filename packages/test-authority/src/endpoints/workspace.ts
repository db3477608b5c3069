import * as z from "zod";
import { isWorkspacePlan } from "@agent-auth/agent-identity/record/plan";
import type { HttpResponse } from "../http/response.ts";
import { parseJson } from "../http/body.ts";
import { forbidden, json, unauthorized } from "../http/response.ts";
import type { Caller } from "../identities/authentication.ts";
import { authenticate, bearerToken, findBearer } from "../identities/authentication.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { backendBase, path } from "../http/router.ts";
import { issueTokens } from "../oauth/tokens.ts";

/** The account of a user or an agent. An API key has no workspace. */
const authenticateMember = async ({ state, request }: RequestContext): Promise<Caller> => {
  const caller = await authenticate(state, request);
  if (caller.by === "apiKey")
    throw unauthorized("invalid_token", "an API key belongs to no workspace");
  return caller;
};

// Codex asks for this before a user's model requests and follows it; NO_CONSTRAINT means the configured base URL. It
// sends nothing to an origin that is not https.
const checkAccounts = async (context: RequestContext): Promise<HttpResponse> => {
  const { account: current } = await authenticateMember(context);
  const { settings } = context.state;
  const own = context.state.directory.accounts.filter(({ userId }) => userId === current.userId);
  return json(200, {
    accounts: own.map((account) => ({
      id: account.accountId,
      name: account.workspaceName,
      plan_type: account.planType,
      structure: isWorkspacePlan(account.planType) ? "workspace" : "personal",
      profile_picture_url: null,
      workspace_backend_origin: settings.workspaceBackendOrigin,
      account_routing_override:
        settings.accountRoutingOverride ?? (account.isFedrampAccount ? "us_cr" : "NO_CONSTRAINT"),
    })),
    account_ordering: own.map(({ accountId }) => accountId),
    default_account_id: current.accountId,
  });
};

const managed = (id: string, name: string, toml: string | null) =>
  toml === null ? null : { enterprise_managed: [{ id, name, contents: toml }] };

const bundleConfig = async (context: RequestContext): Promise<HttpResponse> => {
  await authenticateMember(context);
  const { managedConfig, managedRequirements } = context.state.settings;
  return json(200, {
    config_toml: managed("config", "Managed configuration", managedConfig),
    requirements_toml: managed("requirements", "Managed requirements", managedRequirements),
  });
};

const SwitchRequest = z.object({ workspace_id: z.string() });

/** A token of another workspace of the same user, in the same sign-in. */
const switchWorkspace = async (context: RequestContext): Promise<HttpResponse> => {
  const { state, request } = context;
  const { account: current, by } = await authenticateMember(context);
  if (by !== "accessToken") throw unauthorized("invalid_token", "not the token of a sign-in");
  const { workspace_id: id } = parseJson(request, SwitchRequest);
  const account = state.directory.accounts.find(
    (one) => one.userId === current.userId && one.accountId === id,
  );
  if (account === undefined) throw forbidden("workspace_unavailable", "no workspace of this user");
  const { familyId } = findBearer(state, bearerToken(request));
  const families = [...state.oauth.refreshTokens.values()].map(({ family }) => family);
  const family = families.find((one) => one.id === familyId);
  if (family === undefined) throw unauthorized("invalid_token", "the sign-in has ended");
  family.account = account;
  const { accessToken } = await issueTokens(state, family);
  return json(200, { access_token: accessToken });
};

/** What Codex asks its backend before the first model request: the user's workspaces and their managed settings. */
export const workspaceRoutes: ReadonlyArray<Route> = [
  {
    endpoint: "accountsCheck",
    method: "GET",
    pattern: path(`${backendBase}/accounts/check`),
    handle: checkAccounts,
  },
  {
    endpoint: "configBundle",
    method: "GET",
    pattern: path(`${backendBase}/config/bundle`),
    handle: bundleConfig,
  },
  {
    endpoint: "switchWorkspace",
    method: "POST",
    pattern: path("(?:/backend-api|/api/codex)/accounts/switch-workspace-token"),
    handle: switchWorkspace,
  },
];
