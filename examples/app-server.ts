import { handleAccountMethods } from "@agent-auth/app-server/methods";
import { openAccountService } from "@agent-auth/app-server/promises";
import {
  createMessageConnection,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-jsonrpc/node";

// One service for all connections. It notices sign-ins of other programs and keeps the credential fresh.
const service = await openAccountService();
const connection = createMessageConnection(
  new StreamMessageReader(process.stdin),
  new StreamMessageWriter(process.stdout),
);

const account = handleAccountMethods(service, {
  notify: (method, params) => void connection.sendNotification(method, params),
  request: (method, params) => connection.sendRequest(method, params),
});

connection.onRequest(async (method, params) => {
  if (account.handles(method)) {
    const answer = await account.request(method, params);
    if ("result" in answer) return answer.result;
    const { code, data, message } = answer.error;
    return new ResponseError(code, message, data);
  }
  // The server's own methods.
  if (method === "thread/start") return { thread: { id: "thread-1" } };
  return new ResponseError(-32601, `unknown method ${method}`);
});
connection.onNotification((method, params) => account.notification(method, params));
connection.onClose(() => {
  account.close();
  void service.close();
});
connection.listen();
