import { isWorkspacePlan } from "@agent-auth/agent-identity/record/plan";
import type { HttpResponse } from "../response.ts";
import { json, unauthorized } from "../response.ts";
import type { Caller } from "../authentication.ts";
import { authenticate } from "../authentication.ts";
import type { RequestContext, Route } from "../router.ts";
import { backendBase, path } from "../router.ts";

/** Whoever has a workspace: a person or an agent. An API key is the platform's and has none. */
const authenticateMember = async ({ state, request }: RequestContext): Promise<Caller> => {
  const caller = await authenticate(state, request);
  if (caller.by === "apiKey")
    throw unauthorized("invalid_token", "an API key belongs to no workspace");
  return caller;
};

// Codex asks for this before a person's model requests and goes where it says; NO_CONSTRAINT means the base
// that it is configured with. An origin that is not https makes it refuse to send anything.
const checkAccounts = async (exchange: RequestContext): Promise<HttpResponse> => {
  const { account: current } = await authenticateMember(exchange);
  const own = exchange.state.directory.accounts.filter(({ userId }) => userId === current.userId);
  return json(200, {
    accounts: own.map((account) => ({
      id: account.accountId,
      name: account.workspaceName,
      plan_type: account.planType,
      structure: isWorkspacePlan(account.planType) ? "workspace" : "personal",
      profile_picture_url: null,
      workspace_backend_origin: "NO_CONSTRAINT",
      account_routing_override: account.isFedrampAccount ? "us_cr" : "NO_CONSTRAINT",
    })),
    account_ordering: own.map(({ accountId }) => accountId),
    default_account_id: current.accountId,
  });
};

const managed = (id: string, name: string, toml: string | null) =>
  toml === null ? null : { enterprise_managed: [{ id, name, contents: toml }] };

const bundleConfig = async (exchange: RequestContext): Promise<HttpResponse> => {
  await authenticateMember(exchange);
  const { managedConfig, managedRequirements } = exchange.state.settings;
  return json(200, {
    config_toml: managed("config", "Managed configuration", managedConfig),
    requirements_toml: managed("requirements", "Managed requirements", managedRequirements),
  });
};

/** What Codex asks of its backend before a first model request: a person's workspaces, and what they manage. */
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
];
