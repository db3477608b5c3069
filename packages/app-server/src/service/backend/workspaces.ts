import * as z from "zod/mini";
import type { AccountSessions, WorkspaceMessages } from "../types.ts";
import { flag, text, time } from "./lenient.ts";

const Messages = z.object({
  messages: z._default(
    z.array(
      z.object({
        message_id: z.string(),
        message_type: text,
        message_body: z.string(),
        created_at: time,
        archived_at: time,
      }),
    ),
    [],
  ),
});

/** Returns the answer to `account/workspaceMessages/read`; `undefined` for another response. */
export const readWorkspaceMessages = (json: unknown): WorkspaceMessages | undefined => {
  const parsed = Messages.safeParse(json);
  if (!parsed.success) return undefined;
  return {
    featureEnabled: true,
    messages: parsed.data.messages.map((message) => ({
      messageId: message.message_id,
      messageType:
        message.message_type === "headline" || message.message_type === "announcement"
          ? message.message_type
          : "unknown",
      messageBody: message.message_body,
      createdAt: message.created_at ?? null,
      archivedAt: message.archived_at ?? null,
    })),
  };
};

const Workspaces = z.object({
  accounts: z.array(
    z.object({
      id: z.string(),
      name: text,
      profile_picture_url: text,
      structure: text,
      can_access_with_session: flag,
      sso_connection_name: text,
      is_deactivated: flag,
      is_fedramp_compliant_workspace: flag,
    }),
  ),
});

/** A workspace of a login, and how it can be switched to. */
export interface SwitchableWorkspace {
  readonly shown: AccountSessions["sessions"][number]["workspaces"][number];
  /**
   * - `token`: the backend exchanges the login's token.
   * - `signIn`: only a new sign-in helps, with the workspace's single sign-on connection if it has one.
   * - `government`, `unavailable`: it cannot be switched to from here.
   */
  readonly access: "token" | "signIn" | "government" | "unavailable";
  readonly connection?: string;
}

/** Returns the workspaces in the response of `/accounts/check`; `undefined` for another response. */
export const readWorkspaces = (json: unknown): ReadonlyArray<SwitchableWorkspace> | undefined => {
  const parsed = Workspaces.safeParse(json);
  return parsed.success
    ? parsed.data.accounts.map((account) => ({
        shown: {
          accountId: account.id,
          name: account.name ?? null,
          imageUrl: account.profile_picture_url ?? null,
          kind:
            account.structure === "personal" || account.structure === "workspace"
              ? account.structure
              : null,
        },
        access: accessOf(account),
        ...(account.sso_connection_name ? { connection: account.sso_connection_name } : {}),
      }))
    : undefined;
};

type RawWorkspace = z.infer<typeof Workspaces>["accounts"][number];

const accessOf = (workspace: RawWorkspace): SwitchableWorkspace["access"] => {
  if (workspace.is_deactivated === true) return "unavailable";
  if (workspace.is_fedramp_compliant_workspace === true) return "government";
  return workspace.can_access_with_session === false ? "signIn" : "token";
};
