export * from "./manager/index.ts";
export type * from "./credential/index.ts";
export * from "./errors/index.ts";
export {
  type CodexHome,
  loadEnvironment,
  type LoginEnvironment,
  overridingEnvVar,
  parseEnvironment,
  type Variables,
} from "./config/environment.ts";
export {
  checkModelProvider,
  type AdministratorRule,
  type Config,
  type ConfigExplanation,
  explainConfig,
  loadConfig,
  type LoadConfigOptions,
} from "./config/index.ts";
export {
  allowedWorkspaceIds,
  checkAdministratorRules,
  checkLoginMethod,
  checkRestrictions,
  checkWorkspaces,
  type LoginMethod,
} from "./config/restrictions.ts";
