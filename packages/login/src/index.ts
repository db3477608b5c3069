export * from "./auth-manager.ts";
export type * from "./credential.ts";
export * from "./errors.ts";
export {
  type CodexHome,
  type LoginEnvironment,
  parseEnvironment,
  type Variables,
} from "./environment.ts";
export { type Config, loadConfig, type LoadConfigOptions } from "./config.ts";
export {
  checkLoginMethod,
  checkRestrictions,
  checkWorkspaces,
  type LoginMethod,
} from "./restrictions.ts";
