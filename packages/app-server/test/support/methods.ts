import type { AccountConnection, ClientConnection, RpcAnswer } from "../../src/rpc/connection.ts";

/**
 * Methods without an account behind them: `echo` answers at once, `soon` in a microtask, `never` when `release` is called,
 * `notify` sends what it is given as a notification.
 */
export const makeMethods = () => {
  const clients: ClientConnection[] = [];
  const received: string[] = [];
  const closed: ClientConnection[] = [];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const open = (client: ClientConnection): AccountConnection => {
    clients.push(client);
    return {
      handles: () => true,
      request: (method, params): RpcAnswer | Promise<RpcAnswer> => {
        received.push(method);
        if (method === "soon") return Promise.resolve({ result: params });
        if (method === "never") return released.then(() => ({ result: params }));
        if (method.startsWith("throw")) throw new RangeError("a bug with sk-secret");
        if (method === "reject") return Promise.reject(new RangeError("a bug with sk-secret"));
        if (method === "bigint") return { result: 1n };
        if (method === "fail") return { error: { code: -32600, message: "Invalid request" } };
        return { result: params };
      },
      notification: (method) => {
        received.push(method);
        if (method.startsWith("throw")) throw new RangeError("a bug with sk-secret");
      },
      close: () => {
        closed.push(client);
      },
    };
  };
  return { open, clients, received, closed, release };
};
