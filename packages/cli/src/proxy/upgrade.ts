import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { toRequestError } from "../http/request-error.ts";
import { proxyDestination } from "./destination.ts";
import type { ExchangeTools } from "./exchange.ts";
import { reasonPhrase, requestHeaders, responseHeaders } from "./pass-on.ts";

/** Passes a WebSocket upgrade on (RFC 6455 §4), then bytes in both directions until one side ends. */
export const upgrade = async (
  tools: ExchangeTools,
  request: IncomingMessage,
  client: Duplex,
  head: Buffer,
): Promise<void> => {
  const startedAtMs = Date.now();
  const done = (status: number | null, note?: string) =>
    tools.done({ request, status, bytes: 0, startedAtMs, note });
  client.on("error", () => client.destroy());
  try {
    const signed = await tools.signed();
    if (client.destroyed) return done(null);
    const destination = proxyDestination(request.url ?? "/", signed.target);
    if (destination === null) {
      turnAway(client, 400, "Bad Request");
      return done(400);
    }
    const headers = { ...tools.defaults, ...requestHeaders(request.headers) };
    dispatchUpgrade(tools, { ...destination, headers }, client, head, done);
  } catch (error) {
    turnAway(client, 502, "Bad Gateway");
    done(502, toRequestError(error).code);
  }
};

const dispatchUpgrade = (
  { dispatcher }: ExchangeTools,
  to: { readonly origin: string; readonly path: string; readonly headers: IncomingHttpHeaders },
  client: Duplex,
  head: Buffer,
  done: (status: number | null, note?: string) => void,
) => {
  let status: number | null = null;
  dispatcher.dispatch(
    { ...to, method: "GET", upgrade: "websocket", headersTimeout: 30_000 },
    {
      onRequestStart(controller) {
        if (client.destroyed) return controller.abort(clientGone);
        client.once("close", () => {
          if (status === null) controller.abort(clientGone);
        });
      },
      onRequestUpgrade(_controller, upgraded, headers, server) {
        status = upgraded;
        const kept = { ...responseHeaders(headers), connection: "Upgrade", upgrade: "websocket" };
        client.write(headText(upgraded, "Switching Protocols", kept));
        if (head.byteLength > 0) server.write(head);
        join(client, server, () => done(upgraded));
      },
      onResponseStart(_controller, refused, headers, message) {
        if (refused < 200) return;
        status = refused;
        const kept = { ...responseHeaders(headers), connection: "close" };
        client.write(headText(refused, reasonPhrase(message) ?? "", kept));
      },
      onResponseData(_controller, chunk) {
        client.write(chunk);
      },
      onResponseEnd() {
        client.end();
        done(status);
      },
      onResponseError(_controller, error) {
        if (error === clientGone) return done(null);
        if (status === null && !client.destroyed) turnAway(client, 502, "Bad Gateway");
        else client.destroy();
        done(status ?? 502, toRequestError(error).code);
      },
    },
  );
};

const clientGone = new Error("the client went away");

/** Both directions at once; when one side fails or ends, so does the other. */
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

export const turnAway = (client: Duplex, status: number, reason: string): void => {
  client.end(`HTTP/1.1 ${status} ${reason}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
};

const headText = (status: number, reason: string, headers: IncomingHttpHeaders): Buffer => {
  const lines = [`HTTP/1.1 ${status} ${reason}`];
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) lines.push(`${name}: ${one}`);
    }
  }
  // undici reads header bytes as Latin-1, so this writes the bytes that came.
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
};
