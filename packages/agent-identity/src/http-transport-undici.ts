import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { Dispatcher } from "undici";
import {
  HttpBodyTooLarge,
  HttpConnectionFailed,
  HttpInsecureUrl,
  HttpRequestInvalid,
  HttpTimedOut,
  type HttpTransportError,
} from "./errors.ts";
import { HttpTransport, type HttpRequest, type HttpResponse } from "./http-transport.ts";
import { plainHeaders, plainText } from "./internal/http-headers.ts";
import { followRedirect, isRedirect } from "./internal/http-redirect.ts";
import { isPrivateOnTheWay, redactUrl } from "./internal/url.ts";

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
  readonly dispatcher?: Dispatcher;
  /** Accepts plain `http` off this machine. Default false. */
  readonly allowInsecureHttp?: boolean;
}

const defaultMaxBodyBytes = 1_048_576;

const reasonOf = (cause: unknown): string => {
  const code: unknown = Reflect.get(Object(cause), "code");
  if (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,48}$/.test(code)) return code;
  return cause instanceof Error && /^[A-Za-z]{1,48}$/.test(cause.name) ? cause.name : "unknown";
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

interface Sending {
  readonly request: HttpRequest;
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly dispatcher: Dispatcher;
}

const make = Effect.fnUntraced(function* (options: UndiciTransportOptions) {
  const undici = yield* Effect.promise(() => import("undici"));
  const dispatcher =
    options.dispatcher ??
    (yield* Effect.acquireRelease(
      Effect.sync(() => new undici.Agent()),
      (agent) => Effect.promise(() => agent.destroy()),
    ));
  const standing = { originator: options.originator, "user-agent": options.userAgent };

  const exchange = Effect.fnUntraced(function* ({ request, url, headers, dispatcher }: Sending) {
    const { method, timeoutMs, body, maxBodyBytes = defaultMaxBodyBytes } = request;
    const where = { method, url: redactUrl(url) };
    const answer = yield* Effect.tryPromise({
      try: async (signal) => {
        const answered = await undici.request(url, {
          method,
          headers,
          dispatcher,
          signal,
          headersTimeout: timeoutMs,
          bodyTimeout: timeoutMs,
          ...(body === undefined ? {} : { body: plainText(body) }),
        });
        const text = await readBody(answered.body, maxBodyBytes);
        return { ...answered, text };
      },
      // undici's own errors can quote what was sent; the code is enough to act on.
      catch: (cause) => new HttpConnectionFailed({ ...where, reason: reasonOf(cause) }),
    });
    if (answer.text === null) return yield* new HttpBodyTooLarge({ ...where, maxBodyBytes });
    const response: HttpResponse = {
      status: answer.statusCode,
      statusText: answer.statusText,
      headers: headersOf(answer.headers),
      body: answer.text,
    };
    return response;
  });

  const checkUrl = Effect.fnUntraced(function* (
    request: HttpRequest,
  ): Effect.fn.Return<URL, HttpTransportError> {
    const { method } = request;
    const url = URL.parse(request.url);
    const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
    if (url === null || !isHttp || url.username !== "" || url.password !== "") {
      return yield* new HttpRequestInvalid({ method, part: "url" });
    }
    if (isPrivateOnTheWay(url) || options.allowInsecureHttp === true) return url;
    return yield* new HttpInsecureUrl({ method, url: redactUrl(url) });
  });

  const send = Effect.fnUntraced(function* (
    request: HttpRequest,
  ): Effect.fn.Return<HttpResponse, HttpTransportError> {
    let url = yield* checkUrl(request);
    const headers = yield* plainHeaders(request.method, { ...standing, ...request.headers });
    for (let redirects = 0; ; redirects += 1) {
      const answer = yield* exchange({ request, url, headers, dispatcher });
      if (!isRedirect(answer.status)) return answer;
      const where = { method: request.method, url: redactUrl(url), status: answer.status };
      const { location } = answer.headers;
      url = yield* followRedirect({ ...where, from: url, location, count: redirects });
    }
  });

  const request = (request: HttpRequest): Effect.Effect<HttpResponse, HttpTransportError> =>
    Effect.timeoutOrElse(send(request), {
      duration: request.timeoutMs,
      orElse: () => {
        const { method, timeoutMs } = request;
        const url = URL.parse(request.url);
        return Effect.fail(
          new HttpTimedOut({ method, url: url === null ? "" : redactUrl(url), timeoutMs }),
        );
      },
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
