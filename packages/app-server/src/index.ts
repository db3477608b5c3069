export { type AccountServiceError, type AppServerError, isAppServerError } from "./errors/index.ts";
export {
  type AccountConnection,
  type AccountMethodsOptions,
  type ClientCapabilities,
  type ClientConnection,
  type ClientDescription,
  handleAccountMethods,
  type RpcAnswer,
  type RpcError,
} from "./methods/index.ts";
export type { RequestId } from "./rpc/connection.ts";
export type { AccountEvent, AccountInfo, LoginSettings } from "./service/index.ts";
