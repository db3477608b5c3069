import type * as z from "zod/mini";
import * as account from "./account.ts";
import * as gateway from "./gateway.ts";
import * as handshake from "./handshake.ts";
import * as remoteControl from "./remote-control.ts";
import * as usage from "./usage.ts";

type Named = Readonly<Record<string, z.ZodMiniType>>;

const { AuthMode, GetAuthStatusParams, GetAuthStatusResponse, PlanType, ...accountV2 } = account;

/** The types of the first version of the protocol, and those that both versions share, under Codex's names. */
export const rootTypes: Named = {
  AuthMode,
  GetAuthStatusParams,
  GetAuthStatusResponse,
  PlanType,
  ...handshake,
};

/** The types of the second version, under Codex's names. */
export const v2Types: Named = { ...accountV2, ...gateway, ...remoteControl, ...usage };

/** Types that only experimental methods use. */
export const experimentalTypes: ReadonlySet<string> = new Set([
  "AccountSession",
  "AccountSessionWorkspace",
  "AccountSessionWorkspaceKind",
  "AccountSessionsListParams",
  "AccountSessionsResponse",
  "AccountSessionsSwitchParams",
  "AccountSessionsSwitchResponse",
]);
