import type { SignedHeaders } from "@agent-auth/model-provider/signing/headers";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import { errorToJson, type Reportable } from "../errors/report.ts";
import { toRequestError } from "../http/request-error.ts";
import { proxyDestination } from "./destination.ts";
import { asciiReasonPhrase, type HeaderFilter } from "./header-filter.ts";
import { type ProxyBody, takeBody } from "./replayable-body.ts";

/** What all requests of one proxy share. */
export interface ForwardContext {
  /** Signs requests, sends them, and retries after a 401 with a recovered credential. */
  readonly dispatcher: Pick<Dispatcher, "dispatch">;
  /** Returns the credential headers for the next request, and where they may be sent. */
  readonly signed: () => Promise<SignedHeaders> | SignedHeaders;
  /** Request headers for clients that do not set them. */
  readonly defaults: Readonly<Record<string, string>>;
  readonly headers: HeaderFilter;
  /** Called once per request, when it is over. */
  readonly done: (outcome: RequestOutcome) => void;
}

/** How a request ended, for the access log. */
export interface RequestOutcome {
  readonly request: IncomingMessage;
  /** `null` if the client disconnected before a response. */
  readonly status: number | null;
  readonly bytes: number;
  readonly startedAtMs: number;
  readonly note?: string | undefined;
}

/** Forwards one request to the provider and streams the response back. */
export const forward = (
  context: ForwardContext,
  request: IncomingMessage,
  response: ServerResponse,
): void => {
  const startedAtMs = Date.now();
  let note: string | undefined;
  let bytes = 0;
  response.once("close", () => {
    const status = response.headersSent ? response.statusCode : null;
    context.done({ request, status, bytes, startedAtMs, note });
  });
  const fail = (error: Reportable) => {
    note = error.code;
    bytes += sendError(response, error);
  };
  const send = (signed: SignedHeaders, body: ProxyBody) => {
    if (response.destroyed) return; // the client has disconnected
    const destination = proxyDestination(request.url ?? "/", signed.target);
    if (destination === null) return fail(outsideBase);
    const handler = respondTo(response, context.headers, {
      counted: (size) => (bytes += size),
      failed: (error) => fail(toRequestError(error)),
    });
    context.dispatcher.dispatch(
      {
        ...destination,
        method: methodOf(request),
        headers: { ...context.defaults, ...context.headers.request(request.headers) },
        body,
        bodyTimeout: 0,
        headersTimeout: 0,
      },
      handler,
    );
  };
  takeBody(request, (body) => {
    if (body === undefined) return;
    const signed = context.signed();
    if (!(signed instanceof Promise)) return guarded(() => send(signed, body), fail);
    signed.then(
      (late) => guarded(() => send(late, body), fail),
      (error: unknown) => fail(toRequestError(error)),
    );
  });
};

/** undici and the interceptor reject some requests by throwing synchronously. */
const guarded = (send: () => void, fail: (error: Reportable) => void) => {
  try {
    send();
  } catch (error) {
    fail(toRequestError(error));
  }
};

// Node's parser has validated it; undici's type only lists the common methods.
const methodOf = (request: IncomingMessage) => request.method ?? "GET";

interface Listener {
  readonly counted: (bytes: number) => void;
  /** The provider did not respond. */
  readonly failed: (error: Error) => void;
}

/** Writes the provider's response to the client, no faster than the client reads. */
const respondTo = (
  response: ServerResponse,
  filter: HeaderFilter,
  listener: Listener,
): Dispatcher.DispatchHandler => ({
  onRequestStart(controller) {
    if (response.destroyed) return controller.abort(clientDisconnected);
    response.once("close", () => {
      if (!response.writableFinished) controller.abort(clientDisconnected);
    });
    response.on("drain", () => controller.resume());
  },
  onResponseStart(controller, status, headers, statusMessage) {
    if (status < 200) return;
    try {
      response.writeHead(status, asciiReasonPhrase(statusMessage), filter.response(headers));
      // Sends the headers now. flushHeaders would encode them as UTF-8 and change their bytes.
      response.write(nothing);
    } catch (error) {
      // Node rejects header bytes that no client could read; an error thrown here would be lost.
      controller.abort(
        error instanceof Error ? error : new Error("the response cannot be written"),
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
const clientDisconnected = new Error("the client disconnected");

/**
 * Sends an error of the proxy itself, in the shape of the OpenAI API, whose clients show `error.message`. Returns the
 * number of bytes of the body.
 */
export const sendError = (
  response: ServerResponse,
  error: Reportable,
  status: number = error.code === outsideBase.code ? 400 : 502,
): number => {
  if (response.headersSent) {
    response.destroy();
    return 0;
  }
  const text = JSON.stringify({ error: { type: "agent_auth_proxy_error", ...errorToJson(error) } });
  const body = Buffer.from(text);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-security-policy": "sandbox",
    "x-content-type-options": "nosniff",
    connection: "close",
    ...(status === 401 && { "www-authenticate": "Bearer" }),
  });
  response.end(body);
  return body.byteLength;
};

const outsideBase: Reportable = {
  code: "CLI_PROXY_OUTSIDE_BASE",
  message: "the path leaves the provider's base URL",
};
