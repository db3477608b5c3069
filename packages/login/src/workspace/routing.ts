import { isHttpsOrLoopback } from "@agent-auth/agent-identity/urls";
import * as Effect from "effect/Effect";
import * as z from "zod/mini";
import type { Config } from "../config/types.ts";
import type { WorkspaceAccess } from "../credential/index.ts";
import { WorkspaceRoutingRefused } from "../errors/workspace.ts";
import { compact } from "../internal/compact.ts";

const text = z.nullish(z.string());

/** The answer of `accounts/check`. Other members are ignored. */
export const AccountsCheck = z.object({
  accounts: z.array(
    z.object({
      id: z.string(),
      name: text,
      structure: text,
      workspace_backend_origin: text,
      account_routing_override: text,
    }),
  ),
});

export type AccountsCheck = z.infer<typeof AccountsCheck>;

/** The backend's value for "no routing other than the configured one". */
const unconstrained = "NO_CONSTRAINT";

const overrides = ["us", "us_cr"] as const;

type Routing = Pick<WorkspaceAccess, "origin" | "routingOverride">;

/**
 * Returns where the requests of a workspace go, from the backend's answer. Fails if the answer is incomplete, or if it
 * names an origin other than the configured backend's own, `chatgpt.com` and its subdomains, and those of
 * `agent_auth.backend_origins`. Codex accepts any https origin.
 */
export const routingOf = (
  { accounts }: AccountsCheck,
  workspaceId: string,
  config: Pick<Config, "backendOrigins" | "chatgptBaseUrl" | "chatgptBaseUrlRequiredBy">,
): Effect.Effect<Routing, WorkspaceRoutingRefused> => {
  const refuse = (why: WorkspaceRoutingRefused["why"], origin?: string) =>
    Effect.fail(new WorkspaceRoutingRefused({ workspaceId, why, ...compact({ origin }) }));
  const account = accounts.find(({ id }) => id === workspaceId);
  if (account === undefined) return refuse("missingWorkspace");
  const { account_routing_override: override, workspace_backend_origin: named } = account;
  const routingOverride = overrides.find((known) => known === override);
  if (routingOverride === undefined && override !== unconstrained) return refuse("unknownOverride");
  if (named === undefined || named === null) return refuse("missingOrigin");
  if (named === unconstrained) return Effect.succeed(compact({ routingOverride }));
  const origin = originOf(named);
  if (origin === undefined) return refuse("notAnOrigin");
  const own = URL.parse(config.chatgptBaseUrl)?.origin;
  if (origin === own) return Effect.succeed(compact({ origin, routingOverride }));
  if (!isHttpsOrLoopback(new URL(origin))) return refuse("notAnOrigin", origin);
  if (config.chatgptBaseUrlRequiredBy !== undefined) return refuse("backendRequired", origin);
  return isChatgptOrigin(origin) || config.backendOrigins?.includes(origin) === true
    ? Effect.succeed(compact({ origin, routingOverride }))
    : refuse("otherOrigin", origin);
};

/** Returns the origin if a text is one, without a path, user name or query; else `undefined`. */
const originOf = (text: string): string | undefined => {
  const url = URL.parse(text);
  return url !== null && (text === url.origin || text === `${url.origin}/`)
    ? url.origin
    : undefined;
};

/** Whether OpenAI runs a backend: `chatgpt.com`, its subdomains, and its older name, over https. */
export const isChatgptOrigin = (origin: string): boolean =>
  /^https:\/\/(?:(?:[a-z\d-]+\.)*chatgpt\.com|chat\.openai\.com)$/.test(origin);
