import { hostname } from "node:os";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  createMessageConnection,
  type MessageConnection,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-jsonrpc/node";
import { WebSocketServer } from "ws";
import { connectWebSocket, createAppServerClient } from "../src/client/index.ts";
import { handleAccountMethods } from "../src/methods/index.ts";
import { encodeAnswer, encodeRequest, parseMessage } from "../src/rpc/messages.ts";
import { clientInfo, connect, experimental } from "./support/connect.ts";
import { eventually, openService } from "./support/service.ts";

const apiKeyLogin = [
  {
    method: "account/login/completed",
    params: { loginId: null, success: true, error: null, onboardingEntrypoint: null },
  },
  { method: "account/updated", params: { authMode: "apikey", planType: null, reason: null } },
];

const openRpc = (input: PassThrough, output: PassThrough): MessageConnection => {
  const connection = createMessageConnection(
    new StreamMessageReader(input),
    new StreamMessageWriter(output),
  );
  onTestFinished(() => connection.dispose());
  return connection;
};

describe("the account methods on a vscode-jsonrpc connection", () => {
  it("answer beside the server's own methods, and before the notifications that they cause", async () => {
    const { service } = await openService();
    const [there, back] = [new PassThrough(), new PassThrough()];
    const [server, client] = [openRpc(there, back), openRpc(back, there)];
    const account = handleAccountMethods(service, {
      notify: (method, params) => void server.sendNotification(method, params),
      request: (method, params) => server.sendRequest(method, params),
    });
    server.onRequest(async (method, params) => {
      if (!account.handles(method)) return { own: method };
      const answer = await account.request(method, params);
      if ("result" in answer) return answer.result;
      const { code, data, message } = answer.error;
      return new ResponseError(code, message, data);
    });
    server.onNotification((method, params) => account.notification(method, params));
    server.onClose(() => account.close());
    server.listen();

    const seen: Array<unknown> = [];
    client.onNotification((method, params) => void seen.push({ method, params }));
    client.listen();
    await client.sendRequest("initialize", { clientInfo });
    expect(await client.sendRequest("thread/start", {})).toEqual({ own: "thread/start" });
    const answer = await client.sendRequest("account/login/start", {
      type: "apiKey",
      apiKey: "sk-1",
    });
    seen.push(answer);
    await eventually(seen, 4);
    expect(seen).toEqual([
      {
        method: "remoteControl/status/changed",
        params: {
          status: "disabled",
          serverName: hostname(),
          installationId: expect.stringMatching(/^[\da-f-]{36}$/u),
          environmentId: null,
        },
      },
      { type: "apiKey" },
      ...apiKeyLogin,
    ]);
    await expect(
      client.sendRequest("account/login/cancel", { loginId: "nope" }),
    ).rejects.toMatchObject({
      code: -32600,
      message: "invalid login id: nope",
      data: { code: "APP_SERVER_INVALID_LOGIN_ID" },
    });
  });
});

describe("the account methods on a plain WebSocket server", () => {
  it("serve several clients, of which each is notified", async () => {
    const { service } = await openService();
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    onTestFinished(() => server.close());
    await once(server, "listening");
    server.on("connection", (socket) => {
      let requestIds = 0;
      const waiting = new Map<number, PromiseWithResolvers<unknown>>();
      const account = handleAccountMethods(service, {
        notify: (method, params) => socket.send(JSON.stringify({ method, params })),
        request: (method, params) => {
          const answer = Promise.withResolvers<unknown>();
          waiting.set(requestIds, answer);
          socket.send(encodeRequest(requestIds++, method, params));
          return answer.promise;
        },
      });
      socket.on("message", (data: Buffer) => {
        const message = parseMessage(data.toString());
        if (message?._tag === "Notification") account.notification(message.method, message.params);
        if (message?._tag === "Answer" && "result" in message.answer)
          waiting.get(Number(message.id))?.resolve(message.answer.result);
        if (message?._tag !== "Request") return;
        const { idJson, method, params } = message;
        void Promise.resolve(account.request(method, params)).then((answer) =>
          socket.send(encodeAnswer(idJson, answer)),
        );
      });
      socket.on("close", () => account.close());
    });
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const open = async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`);
      await new Promise((resolve) => socket.addEventListener("open", resolve));
      const client = createAppServerClient(connectWebSocket(socket));
      onTestFinished(() => client.close());
      await client.initialize({ clientInfo });
      const events: Array<unknown> = [];
      client.onAccountEvent((event) => void events.push(event));
      return { client, events };
    };
    const [one, two] = [await open(), await open()];
    expect(
      await one.client.call("account/login/start", { type: "apiKey", apiKey: "sk-1" }),
    ).toEqual({ type: "apiKey" });
    await Promise.all([eventually(one.events, 2), eventually(two.events, 2)]);
    expect(one.events).toEqual(apiKeyLogin);
    expect(two.events).toEqual(apiKeyLogin);
    expect((await two.client.call("account/read", {})).account).toEqual({ type: "apiKey" });
  });
});

describe("the account methods in a server with its own handshake", () => {
  it("need no initialize, and leave the other methods to the server", async () => {
    const { service } = await openService();
    const client = connect(service, {
      initialized: { clientInfo, capabilities: experimental },
      own: { "thread/start": () => ({ thread: { id: "t-1" } }) },
    });
    expect(await client.call("accountSession/list", {})).toEqual({
      activeSessionId: null,
      sessions: [],
    });
    expect(await client.request("thread/start", {})).toEqual({ thread: { id: "t-1" } });
    await expect(client.request("initialize", { clientInfo })).rejects.toMatchObject({
      rpcCode: -32600,
    });
  });
});
