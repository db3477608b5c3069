import type { Config } from "@agent-auth/login/config";

/** What the user's configuration and an administrator's files and policies say about sign-ins. */
export type Restrictions = Pick<
  Config,
  "administratorRules" | "forcedLoginMethod" | "forcedWorkspaceIds"
>;

/** Whether sign-ins with ChatGPT are forbidden. */
export const isChatgptForbidden = (config: Restrictions): boolean =>
  config.forcedLoginMethod === "api" ||
  (config.administratorRules ?? []).some(
    (rule) => rule._tag === "LoginMethods" && !rule.allowed.includes("chatgpt"),
  );

/** The workspaces that all rules allow; `undefined` if there is no rule about them. */
export const allowedWorkspaceIds = (config: Restrictions): ReadonlyArray<string> | undefined => {
  const { administratorRules = [], forcedWorkspaceIds } = config;
  const lists = [
    ...(forcedWorkspaceIds === undefined ? [] : [forcedWorkspaceIds]),
    ...administratorRules.flatMap((rule) => (rule._tag === "Workspaces" ? [rule.allowed] : [])),
  ];
  const [first, ...others] = lists;
  return first?.filter((id) => others.every((ids) => ids.includes(id)));
};
