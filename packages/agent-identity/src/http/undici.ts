import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type * as Undici from "undici";
import {
  HttpBodyTooLarge,
  HttpConnectionFailed,
  HttpInsecureUrl,
  HttpRequestInvalid,
  HttpSettingUnusable,
  HttpTimedOut,
  type HttpTransportError,
  type Remedy,
} from "../errors/index.ts";
import {
  HttpTransport,
  maxResponseHeaderBytes,
  type HttpRequest,
  type HttpResponse,
} from "./index.ts";
import { plainHeaders, plainText } from "./headers.ts";
import { followRedirect, isRedirect } from "./redirect.ts";
import { isHttpUrl, isHttpsOrLoopback, redactUrl } from "../urls/index.ts";

/** What every request of a layer carries, and how it reaches the network. */
export interface UndiciTransportOptions {
  /** Value of the `originator` header, for example `codex_cli_rs`. */
  readonly originator: string;
  /** Value of the `User-Agent` header. */
  readonly userAgent: string;
  /**
   * Proxies, certificates, pools: the caller's own, and the caller closes it. Absent, the layer keeps an `Agent` of its
   * own; this package reads no environment, so that agent knows no proxy.
   */
  readonly dispatcher?: Undici.Dispatcher;
  /** Accepts plain `http` off this machine. Default false. */
  readonly allowInsecureHttp?: boolean;
}

const defaultMaxBodyBytes = 1_048_576;

const reasonOf = (cause: unknown): string => {
  const code: unknown = Reflect.get(Object(cause), "code");
  if (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,48}$/.test(code)) return code;
  return cause instanceof Error && /^[A-Za-z]{1,48}$/.test(cause.name) ? cause.name : "unknown";
};

/** An error of the dispatcher that says by itself what happened and what to do, such as a proxy's. */
const isDescribed = (
  cause: unknown,
): cause is Error & { readonly code: string; readonly hint: string; readonly remedy: Remedy } =>
  cause instanceof Error && "code" in cause && "hint" in cause && "remedy" in cause;

/** undici's own errors can quote what was sent, so of those only the code is kept. */
const toTransportError = (
  where: { readonly method: string; readonly url: string; readonly status?: number },
  cause: unknown,
): HttpTransportError => {
  if (!isDescribed(cause)) return new HttpConnectionFailed({ ...where, reason: reasonOf(cause) });
  const { code: causeCode, hint, message: reason, remedy } = cause;
  return remedy === "fixEnvironment"
    ? new HttpSettingUnusable({ reason, hint, remedy, causeCode })
    : new HttpConnectionFailed({ ...where, reason, hint, remedy, causeCode });
};

/** Reads a body to its end, but no further than allowed. */
const readBody = async (
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<string | null> => {
  const chunks: Array<Uint8Array> = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) return null; // leaving the loop destroys the stream, and with it the connection
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
};

const headersOf = (
  headers: Readonly<Record<string, string | Array<string> | undefined>>,
): Record<string, string> => {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return plain;
};

/** Reads a request's URL, and judges whether it may be asked at all. */
const checkUrl = Effect.fnUntraced(function* (
  request: HttpRequest,
  isHttpAllowed: boolean,
): Effect.fn.Return<URL, HttpTransportError> {
  const { method } = request;
  const url = URL.parse(request.url);
  if (url === null || !isHttpUrl(url) || url.username !== "" || url.password !== "") {
    return yield* new HttpRequestInvalid({ method, part: "url" });
  }
  if (isHttpAllowed || isHttpsOrLoopback(url)) return url;
  return yield* new HttpInsecureUrl({ method, url: redactUrl(url) });
});

interface Sending {
  readonly undici: Pick<typeof Undici, "request">;
  readonly dispatcher: Undici.Dispatcher;
  readonly request: HttpRequest;
  readonly url: URL;
  readonly headers: Record<string, string>;
}

/** One request and its answer, redirects included in what counts as an answer. */
const exchange = Effect.fnUntraced(function* ({
  undici,
  dispatcher,
  request,
  url,
  headers,
}: Sending): Effect.fn.Return<HttpResponse, HttpTransportError> {
  const { method, timeoutMs, body, maxBodyBytes = defaultMaxBodyBytes } = request;
  const where = { method, url: redactUrl(url) };
  const timeouts = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const sent = body === undefined ? {} : { body: plainText(body) };
  let begun: { readonly status: number } | undefined;
  const answer = yield* Effect.tryPromise({
    try: async (signal) => {
      const options = { method, headers, dispatcher, signal, ...timeouts, ...sent };
      const answered = await undici.request(url, options);
      begun = { status: answered.statusCode };
      return { ...answered, text: await readBody(answered.body, maxBodyBytes) };
    },
    catch: (cause) => toTransportError({ ...where, ...begun }, cause),
  });
  if (answer.text === null) return yield* new HttpBodyTooLarge({ ...where, maxBodyBytes });
  return {
    status: answer.statusCode,
    statusText: answer.statusText,
    headers: headersOf(answer.headers),
    body: answer.text,
  };
});

const timedOut = ({ method, url, timeoutMs }: HttpRequest) => {
  const parsed = URL.parse(url);
  return new HttpTimedOut({ method, url: parsed === null ? "" : redactUrl(parsed), timeoutMs });
};

const make = Effect.fnUntraced(function* (options: UndiciTransportOptions) {
  const undici = yield* Effect.promise(() => import("undici"));
  const dispatcher =
    options.dispatcher ??
    (yield* Effect.acquireRelease(
      Effect.sync(() => new undici.Agent({ maxHeaderSize: maxResponseHeaderBytes })),
      (agent) => Effect.promise(() => agent.destroy()),
    ));
  const standing = { originator: options.originator, "user-agent": options.userAgent };

  const send = Effect.fnUntraced(function* (
    request: HttpRequest,
  ): Effect.fn.Return<HttpResponse, HttpTransportError> {
    let url = yield* checkUrl(request, options.allowInsecureHttp === true);
    const headers = yield* plainHeaders(request.method, { ...standing, ...request.headers });
    for (let redirects = 0; ; redirects += 1) {
      const answer = yield* exchange({ undici, dispatcher, request, url, headers });
      if (!isRedirect(answer.status)) return answer;
      const where = { method: request.method, url: redactUrl(url), status: answer.status };
      const { location } = answer.headers;
      url = yield* followRedirect({ ...where, from: url, location, count: redirects });
    }
  });

  const request = (request: HttpRequest): Effect.Effect<HttpResponse, HttpTransportError> =>
    Effect.timeoutOrElse(send(request), {
      duration: request.timeoutMs,
      orElse: () => Effect.fail(timedOut(request)),
    });

  return HttpTransport.of({ request });
});

/**
 * `HttpTransport` over undici, which is imported when the layer is built. Adds `originator` and `User-Agent`, unwraps
 * secrets only into the request itself, reads bodies up to their cap, gives up after `timeoutMs` (by Effect's clock),
 * follows redirects within the origin only, and refuses plain http off this machine.
 */
export const layer = (options: UndiciTransportOptions): Layer.Layer<HttpTransport> =>
  Layer.effect(HttpTransport, make(options));
