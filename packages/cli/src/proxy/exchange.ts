import type { SignedHeaders } from "@agent-auth/model-provider/signing/headers";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import { errorToJson, type Reportable } from "../errors/report.ts";
import { toRequestError } from "../http/request-error.ts";
import { proxyDestination } from "./destination.ts";
import { reasonPhrase, requestHeaders, responseHeaders } from "./pass-on.ts";
import { type ProxyBody, takeBody } from "./replayable-body.ts";

/** What every exchange of one proxy shares. */
export interface ExchangeTools {
  /** Signs, sends, and mends a 401: the provider's dispatcher with the identity composed onto it. */
  readonly dispatcher: Pick<Dispatcher, "dispatch">;
  /** The identity that requests carry now; it says where they go. */
  readonly signed: () => Promise<SignedHeaders> | SignedHeaders;
  /** Sent where the client did not say otherwise. */
  readonly defaults: Readonly<Record<string, string>>;
  /** Told once per request, when it is over. */
  readonly done: (outcome: Outcome) => void;
}

/** How an exchange ended, for the access log. */
export interface Outcome {
  readonly request: IncomingMessage;
  /** `null` where the client went away before an answer. */
  readonly status: number | null;
  readonly bytes: number;
  readonly startedAtMs: number;
  readonly note?: string | undefined;
}

/** Passes one request on and its answer back, both as streams. */
export const exchange = (
  tools: ExchangeTools,
  request: IncomingMessage,
  response: ServerResponse,
): void => {
  const startedAtMs = Date.now();
  let note: string | undefined;
  let bytes = 0;
  response.once("close", () => {
    const status = response.headersSent ? response.statusCode : null;
    tools.done({ request, status, bytes, startedAtMs, note });
  });
  const fail = (error: Reportable) => {
    note = error.code;
    bytes += refuse(response, error);
  };
  const send = (signed: SignedHeaders, body: ProxyBody) => {
    if (response.destroyed) return; // nobody waits for an answer any more
    const destination = proxyDestination(request.url ?? "/", signed.target);
    if (destination === null) return fail(outside);
    const handler = answerTo(response, {
      counted: (size) => (bytes += size),
      failed: (error) => fail(toRequestError(error)),
    });
    tools.dispatcher.dispatch(
      {
        ...destination,
        method: methodOf(request),
        headers: { ...tools.defaults, ...requestHeaders(request.headers) },
        body,
        bodyTimeout: 0,
        headersTimeout: 0,
      },
      handler,
    );
  };
  takeBody(request, (body) => {
    if (body === undefined) return;
    const signed = tools.signed();
    if (!(signed instanceof Promise)) return guarded(() => send(signed, body), fail);
    signed.then(
      (late) => guarded(() => send(late, body), fail),
      (error: unknown) => fail(toRequestError(error)),
    );
  });
};

/** undici and the signing refuse some requests by throwing at once. */
const guarded = (send: () => void, fail: (error: Reportable) => void) => {
  try {
    send();
  } catch (error) {
    fail(toRequestError(error));
  }
};

// Node's parser has checked it; undici's type lists the usual ones only.
const methodOf = (request: IncomingMessage) => request.method ?? "GET";

interface Listener {
  readonly counted: (bytes: number) => void;
  /** The provider gave no answer. */
  readonly failed: (error: Error) => void;
}

/** Writes an answer to the client as it arrives, no faster than the client takes it. */
const answerTo = (response: ServerResponse, listener: Listener): Dispatcher.DispatchHandler => ({
  onRequestStart(controller) {
    if (response.destroyed) return controller.abort(clientGone);
    response.once("close", () => {
      if (!response.writableFinished) controller.abort(clientGone);
    });
    response.on("drain", () => controller.resume());
  },
  onResponseStart(controller, status, headers, statusMessage) {
    if (status < 200) return;
    try {
      response.writeHead(status, reasonPhrase(statusMessage), responseHeaders(headers));
      // At once, and not by flushHeaders, which writes headers as UTF-8 instead of the bytes that they are.
      response.write(nothing);
    } catch (error) {
      // Node refuses what no client could read. An error thrown from here would be heard by nobody.
      controller.abort(
        error instanceof Error ? error : new Error("an answer that cannot be written"),
      );
    }
  },
  onResponseData(controller, chunk) {
    listener.counted(chunk.byteLength);
    if (!response.write(chunk)) controller.pause();
  },
  onResponseEnd() {
    response.end();
  },
  onResponseError(_controller, error) {
    if (response.headersSent) response.destroy();
    else if (!response.destroyed) listener.failed(error);
  },
});

const nothing = new Uint8Array(0);
const clientGone = new Error("the client went away");

/** An answer of the proxy's own; how many bytes its body has. Clients of the OpenAI API show `error.message`. */
export const refuse = (
  response: ServerResponse,
  error: Reportable,
  status: number = error.code === outside.code ? 400 : 502,
): number => {
  if (response.headersSent) {
    response.destroy();
    return 0;
  }
  const text = JSON.stringify({ error: { type: "agent_auth_proxy_error", ...errorToJson(error) } });
  const body = Buffer.from(text);
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(body);
  return body.byteLength;
};

const outside: Reportable = {
  code: "CLI_PROXY_OUTSIDE_BASE",
  message: "the path leaves the provider's base URL",
};
