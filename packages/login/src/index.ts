export * from "./manager/index.ts";
export type * from "./credential/index.ts";
export * from "./errors/index.ts";
export {
  type CodexHome,
  type LoginEnvironment,
  parseEnvironment,
  type Variables,
} from "./config/environment.ts";
export { type Config, loadConfig, type LoadConfigOptions } from "./config/index.ts";
export {
  checkLoginMethod,
  checkRestrictions,
  checkWorkspaces,
  type LoginMethod,
} from "./config/restrictions.ts";
