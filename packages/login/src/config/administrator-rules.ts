import type { AdministratorRule, Config, LoginMethodName } from "./types.ts";

export const loginMethodNames: ReadonlyArray<LoginMethodName> = ["chatgpt", "api"];

/** The first rule of an administrator that does not allow a login method. */
export const methodRuleAgainst = (
  rules: ReadonlyArray<AdministratorRule> | undefined,
  method: LoginMethodName,
): AdministratorRule | undefined =>
  rules?.find((rule) => rule._tag === "LoginMethods" && !rule.allowed.includes(method));

/**
 * Returns the login methods that `forced_login_method` and the rules of administrators allow.
 *
 * @example
 * ```ts
 * import { allowedLoginMethods } from "@agent-auth/login/config";
 *
 * allowedLoginMethods({}); // ["chatgpt", "api"]
 * allowedLoginMethods({ forcedLoginMethod: "api" }); // ["api"]
 * ```
 */
export const allowedLoginMethods = ({
  administratorRules,
  forcedLoginMethod,
}: Pick<Config, "administratorRules" | "forcedLoginMethod">): ReadonlyArray<LoginMethodName> =>
  loginMethodNames.filter(
    (method) =>
      (forcedLoginMethod ?? method) === method &&
      methodRuleAgainst(administratorRules, method) === undefined,
  );

/**
 * Returns the rules that follow from the `forced_…` keys that an administrator set. Each key has a value and the place
 * that sets it.
 */
export const forcedRules = ({
  loginMethod,
  workspaceIds,
}: {
  readonly loginMethod: { readonly value?: LoginMethodName; readonly where?: string };
  readonly workspaceIds: { readonly value?: ReadonlyArray<string>; readonly where?: string };
}): ReadonlyArray<AdministratorRule> => {
  const rules: Array<AdministratorRule> = [];
  if (loginMethod.value !== undefined && loginMethod.where !== undefined)
    rules.push({
      _tag: "LoginMethods",
      key: "forced_login_method",
      where: loginMethod.where,
      allowed: [loginMethod.value],
    });
  if (workspaceIds.value !== undefined && workspaceIds.where !== undefined)
    rules.push({
      _tag: "Workspaces",
      key: "forced_chatgpt_workspace_id",
      where: workspaceIds.where,
      allowed: workspaceIds.value,
    });
  return rules;
};
