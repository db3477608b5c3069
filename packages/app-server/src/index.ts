export type { ClientConnection, RequestId, RpcError } from "./rpc/connection.ts";
