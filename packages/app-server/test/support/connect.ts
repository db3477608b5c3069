import {
  type AppServerClient,
  createAppServerClient,
  type MessageConnection,
} from "../../src/client/index.ts";
import {
  type AccountMethodsOptions,
  type AnyAccountService,
  handleAccountMethods,
} from "../../src/methods/index.ts";
import { encodeAnswer, encodeRequest, parseMessage } from "../../src/rpc/messages.ts";

/** Methods of the server's own. */
export type OwnMethods = Readonly<Record<string, (params: unknown) => unknown>>;

/** A client and a service in one process, over a connection that carries text as a socket would. */
export const connect = (
  service: AnyAccountService,
  options: AccountMethodsOptions & { readonly own?: OwnMethods } = {},
): AppServerClient => {
  let toClient: ((text: string) => void) | undefined;
  let onClosed: (() => void) | undefined;
  let requestIds = 0;
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const account = handleAccountMethods(
    service,
    {
      notify: (method, params) => toClient?.(JSON.stringify({ method, params })),
      request: (method, params, signal) => {
        const id = requestIds++;
        const answer = Promise.withResolvers<unknown>();
        waiting.set(id, answer);
        signal.addEventListener("abort", () => answer.reject(signal.reason));
        toClient?.(encodeRequest(id, method, params));
        return answer.promise;
      },
    },
    options,
  );
  const receive = async (text: string): Promise<void> => {
    const message = parseMessage(text);
    if (message?._tag === "Answer") {
      const answer = waiting.get(Number(message.id));
      if ("result" in message.answer) answer?.resolve(message.answer.result);
      else answer?.reject(message.answer.error);
    }
    if (message?._tag === "Notification") account.notification(message.method, message.params);
    if (message?._tag !== "Request") return;
    const own = options.own?.[message.method];
    const answer =
      own === undefined
        ? await account.request(message.method, message.params)
        : { result: own(message.params) };
    toClient?.(encodeAnswer(message.idJson, answer));
  };
  const connection: MessageConnection = {
    send: (text) => void receive(text),
    onMessage: (listener) => {
      toClient = listener;
    },
    onClose: (listener) => {
      onClosed = listener;
    },
    close: () => {
      account.close();
      onClosed?.();
    },
  };
  return createAppServerClient(connection);
};

export const clientInfo = { name: "test-client", version: "1.0.0" };
export const experimental = { experimentalApi: true };
