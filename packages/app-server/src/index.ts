export type {
  AccountMethodsOptions,
  ClientCapabilities,
  ClientDescription,
} from "./methods/options.ts";
export type {
  AccountConnection,
  ClientConnection,
  RequestId,
  RpcAnswer,
  RpcError,
} from "./rpc/connection.ts";
