import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { toRequestError } from "../http/request-error.ts";
import { proxyDestination } from "./destination.ts";
import type { ForwardContext } from "./forward.ts";
import { asciiReasonPhrase } from "./header-filter.ts";

/** Forwards a WebSocket upgrade (RFC 6455 §4), then bytes in both directions until one side closes. */
export const upgrade = async (
  context: ForwardContext,
  request: IncomingMessage,
  client: Duplex,
  head: Buffer,
): Promise<void> => {
  const startedAtMs = Date.now();
  const done = (status: number | null, note?: string) =>
    context.done({ request, status, bytes: 0, startedAtMs, note });
  client.on("error", () => client.destroy());
  try {
    const signed = await context.signed();
    if (client.destroyed) return done(null);
    const destination = proxyDestination(request.url ?? "/", signed.target);
    if (destination === null) {
      rejectUpgrade(client, 400, "Bad Request");
      return done(400);
    }
    const headers = { ...context.defaults, ...context.headers.request(request.headers) };
    dispatchUpgrade(context, { ...destination, headers }, client, head, done);
  } catch (error) {
    rejectUpgrade(client, 502, "Bad Gateway");
    done(502, toRequestError(error).code);
  }
};

const dispatchUpgrade = (
  { dispatcher, headers: filter }: ForwardContext,
  to: { readonly origin: string; readonly path: string; readonly headers: IncomingHttpHeaders },
  client: Duplex,
  head: Buffer,
  done: (status: number | null, note?: string) => void,
) => {
  let status: number | null = null;
  /** The response is complete, or the connection belongs to the WebSocket. */
  let isOver = false;
  dispatcher.dispatch(
    { ...to, method: "GET", upgrade: "websocket", headersTimeout: 30_000 },
    {
      onRequestStart(controller) {
        if (client.destroyed) return controller.abort(clientDisconnected);
        client.once("close", () => {
          if (!isOver) controller.abort(clientDisconnected);
        });
      },
      onRequestUpgrade(_controller, upgraded, headers, server) {
        status = upgraded;
        isOver = true;
        const kept = { ...filter.response(headers), connection: "Upgrade", upgrade: "websocket" };
        client.write(headText(upgraded, "Switching Protocols", kept));
        if (head.byteLength > 0) server.write(head);
        join(client, server, () => done(upgraded));
      },
      onResponseStart(_controller, refused, headers, message) {
        if (refused < 200) return;
        status = refused;
        const kept = { ...filter.response(headers), connection: "close" };
        client.write(headText(refused, asciiReasonPhrase(message) ?? "", kept));
      },
      onResponseData(controller, chunk) {
        if (client.write(chunk)) return;
        controller.pause();
        client.once("drain", () => controller.resume());
      },
      onResponseEnd() {
        isOver = true;
        client.end();
        done(status);
      },
      onResponseError(_controller, error) {
        isOver = true;
        if (error === clientDisconnected) return done(status);
        if (status === null && !client.destroyed) rejectUpgrade(client, 502, "Bad Gateway");
        else client.destroy();
        done(status ?? 502, toRequestError(error).code);
      },
    },
  );
};

const clientDisconnected = new Error("the client disconnected");

/** Copies bytes both ways; when one side fails or ends, the other is closed. */
const join = (client: Duplex, server: Duplex, closed: () => void) => {
  server.on("error", () => client.destroy());
  client.on("error", () => server.destroy());
  client.once("close", () => {
    server.destroy();
    closed();
  });
  server.once("close", () => client.destroy());
  client.pipe(server);
  server.pipe(client);
};

export const rejectUpgrade = (client: Duplex, status: number, reason: string): void => {
  client.end(`HTTP/1.1 ${status} ${reason}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
};

const headText = (status: number, reason: string, headers: IncomingHttpHeaders): Buffer => {
  const lines = [`HTTP/1.1 ${status} ${reason}`];
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) lines.push(`${name}: ${one}`);
    }
  }
  // undici decodes header bytes as Latin-1, so this restores the original bytes.
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
};
