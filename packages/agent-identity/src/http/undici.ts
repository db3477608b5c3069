import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type * as Undici from "undici";
import {
  DispatcherNotSupported,
  HttpBodyTooLarge,
  HttpConfigurationInvalid,
  HttpConnectionFailed,
  HttpRequestInvalid,
  HttpTimedOut,
  type HttpTransportError,
  type Remedy,
} from "../errors/index.ts";
import { redactUrl } from "../urls/index.ts";
import {
  HttpTransport,
  maxResponseHeaderBytes,
  type HttpRequest,
  type HttpResponse,
} from "./index.ts";
import { followRedirect, parseRequestUrl, plainHeaders, plainText } from "./request-rules.ts";
import { isRedirectStatus } from "./status.ts";

/** What every request of the layer carries, and how it reaches the network. */
export interface UndiciTransportOptions {
  /** Value of the `originator` header, for example `codex_cli_rs`. */
  readonly originator: string;
  /** Value of the `User-Agent` header. */
  readonly userAgent: string;
  /**
   * The caller's undici dispatcher (proxy, certificates, pool); the caller closes it. Without one, the layer creates its
   * own `Agent`. This package does not read the environment, so that agent uses no proxy.
   */
  readonly dispatcher?: Undici.Dispatcher;
  /** Accepts plain `http` for hosts other than loopback. Default false. */
  readonly allowInsecureHttp?: boolean;
}

/**
 * Loads undici. Every package loads it here, and by its file: Bun replaces the bare name with a stub whose dispatchers
 * cannot send, and its fetch and WebSocket with its own.
 *
 * @example
 * ```ts
 * import { importUndici } from "@agent-auth/agent-identity/http/undici";
 *
 * const { Agent } = await importUndici();
 * await new Agent({ connections: 4 }).close();
 * ```
 */
export const importUndici = (): Promise<typeof Undici> => import("undici/index.js");

/**
 * Returns the value if it is a dispatcher. Throws `DispatcherNotSupported` if it is not, such as an instance of Bun's stubs.
 * Whether a dispatcher works with this undici shows when it sends: see `explainDispatcherError`.
 *
 * @example
 * ```ts
 * import { checkedDispatcher, importUndici } from "@agent-auth/agent-identity/http/undici";
 *
 * const { Agent } = await importUndici();
 * checkedDispatcher(new Agent());
 * ```
 */
export const checkedDispatcher = (value: unknown): Undici.Dispatcher => {
  if (isDispatcher(value)) return value;
  throw new DispatcherNotSupported({ reason: "notADispatcher" });
};

const isDispatcher = (value: unknown): value is Undici.Dispatcher =>
  typeof Reflect.get(Object(value), "dispatch") === "function";

/**
 * Returns the reason in words, a `DispatcherNotSupported`, if undici failed because a dispatcher of undici 6 or older does
 * not know the methods of today's handlers; otherwise the error as it is.
 *
 * @example
 * ```ts
 * import { explainDispatcherError } from "@agent-auth/agent-identity/http/undici";
 *
 * const error = new TypeError("fetch failed");
 * explainDispatcherError(error) === error; // true
 * ```
 */
export const explainDispatcherError = (error: unknown): unknown =>
  wantsOlderHandler(error) || (error instanceof Error && wantsOlderHandler(error.cause))
    ? new DispatcherNotSupported({ reason: "olderDispatcher" })
    : error;

const wantsOlderHandler = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  error.code === "UND_ERR_INVALID_ARG" &&
  /^invalid on(?:Connect|Error|Headers|Upgrade) method$/.test(error.message);

const defaultMaxBodyBytes = 1_048_576;

const errorCodeOf = (cause: unknown): string => {
  const code: unknown = Reflect.get(Object(cause), "code");
  if (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,48}$/.test(code)) return code;
  return cause instanceof Error && /^[A-Za-z]{1,48}$/.test(cause.name) ? cause.name : "unknown";
};

/** An error of the dispatcher that describes itself, such as a proxy's. */
const isDescribed = (
  cause: unknown,
): cause is Error & { readonly code: string; readonly hint: string; readonly remedy: Remedy } =>
  cause instanceof Error && "code" in cause && "hint" in cause && "remedy" in cause;

/** undici's own errors can quote what was sent, so only their code is kept. */
const toTransportError = (
  facts: { readonly method: string; readonly url: string; readonly status?: number },
  thrown: unknown,
): HttpTransportError => {
  const cause = explainDispatcherError(thrown);
  if (!isDescribed(cause)) {
    return new HttpConnectionFailed({ ...facts, reason: errorCodeOf(cause) });
  }
  const { code: causeCode, hint, message: reason, remedy } = cause;
  return remedy === "fixEnvironment" || remedy === "fixInput"
    ? new HttpConfigurationInvalid({ reason, hint, remedy, causeCode })
    : new HttpConnectionFailed({ ...facts, reason, hint, remedy, causeCode });
};

/** The body as UTF-8 text, or null if it is longer than `maxBytes`. */
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

interface Prepared {
  readonly undici: Pick<typeof Undici, "request">;
  readonly dispatcher: Undici.Dispatcher;
  readonly request: HttpRequest;
  readonly url: URL;
  readonly headers: Record<string, string>;
}

/** Sends one request and reads its response; a redirect is a response like any other. */
const sendOnce = Effect.fnUntraced(function* ({
  undici,
  dispatcher,
  request,
  url,
  headers,
}: Prepared): Effect.fn.Return<HttpResponse, HttpTransportError> {
  const { method, maxBodyBytes = defaultMaxBodyBytes } = request;
  const facts = { method, url: redactUrl(url) };
  const body = request.body === undefined ? undefined : plainText(request.body);
  if (body === null) return yield* new HttpRequestInvalid({ method, part: "body" });
  // The limit is that of the caller; undici's own limits would count time in which the process was stopped.
  const timeouts = { headersTimeout: 0, bodyTimeout: 0 };
  let begun: { readonly status: number } | undefined;
  const response = yield* Effect.tryPromise({
    try: async (signal) => {
      const options = {
        method,
        headers,
        dispatcher: checkedDispatcher(dispatcher),
        signal,
        ...timeouts,
      };
      const sent = await undici.request(url, body === undefined ? options : { ...options, body });
      begun = { status: sent.statusCode };
      return { ...sent, text: await readBody(sent.body, maxBodyBytes) };
    },
    catch: (cause) => toTransportError({ ...facts, ...begun }, cause),
  });
  if (response.text === null) return yield* new HttpBodyTooLarge({ ...facts, maxBodyBytes });
  return {
    status: response.statusCode,
    statusText: response.statusText,
    headers: headersOf(response.headers),
    body: response.text,
  };
});

const timedOut = ({ method, url, timeoutMs }: HttpRequest) => {
  const parsed = URL.parse(url);
  return new HttpTimedOut({ method, url: parsed === null ? "" : redactUrl(parsed), timeoutMs });
};

const stepMs = 250;
const lateMs = 100;
const maxExtraSteps = 8;

/**
 * Ends after `durationMs` in which this process ran. If it was stopped (SIGSTOP, a suspended machine, a blocked event loop),
 * that time counts as one step, and is followed by another: a response that arrived meanwhile is still read. It may hold
 * tokens that are issued only once. A machine that is late at every step gets `maxExtraSteps`.
 */
const runFor = Effect.fnUntraced(function* (durationMs: number) {
  let leftMs = durationMs;
  let extraSteps = 0;
  while (leftMs > 0) {
    const delayMs = Math.min(leftMs, stepMs);
    const startedMs = yield* Clock.currentTimeMillis;
    yield* Effect.sleep(delayMs);
    const isLate = (yield* Clock.currentTimeMillis) - startedMs - delayMs > lateMs;
    leftMs -= delayMs;
    if (isLate && leftMs <= 0 && extraSteps++ < maxExtraSteps) leftMs = stepMs;
  }
});

const make = Effect.fnUntraced(function* (options: UndiciTransportOptions) {
  const undici = yield* Effect.promise(importUndici);
  const dispatcher =
    options.dispatcher ??
    (yield* Effect.acquireRelease(
      Effect.sync(() => new undici.Agent({ maxHeaderSize: maxResponseHeaderBytes })),
      (agent) => Effect.promise(() => agent.destroy()),
    ));
  const defaultHeaders = { originator: options.originator, "user-agent": options.userAgent };

  const send = Effect.fnUntraced(function* (
    request: HttpRequest,
  ): Effect.fn.Return<HttpResponse, HttpTransportError> {
    const { method } = request;
    let url = yield* parseRequestUrl(method, request.url, options.allowInsecureHttp === true);
    const headers = yield* plainHeaders(method, { ...defaultHeaders, ...request.headers });
    for (let count = 0; ; count += 1) {
      const response = yield* sendOnce({ undici, dispatcher, request, url, headers });
      const { status } = response;
      if (!isRedirectStatus(status) || request.followRedirects === false) return response;
      const { location } = response.headers;
      url = yield* followRedirect({ method, status, from: url, location, count });
    }
  });

  return HttpTransport.of({
    request: (request) =>
      Effect.raceFirst(
        send(request),
        Effect.flatMap(runFor(request.timeoutMs), () => Effect.fail(timedOut(request))),
      ),
  });
});

/**
 * `HttpTransport` over undici, which is imported when the layer is built. Adds `originator` and `User-Agent`, unwraps
 * secrets only into the request itself, limits the size of bodies, fails after `timeoutMs` (by Effect's clock; time in
 * which the process was stopped does not count), follows redirects within the origin only, and rejects plain http for
 * hosts other than loopback.
 *
 * @example
 * ```ts
 * import { HttpTransport } from "@agent-auth/agent-identity/http";
 * import { layer } from "@agent-auth/agent-identity/http/undici";
 * import * as Effect from "effect/Effect";
 *
 * const program = HttpTransport.use((http) =>
 *   http.request({ method: "GET", url: "http://plain.example/", timeoutMs: 1000 }),
 * ).pipe(
 *   Effect.catchTag("HttpInsecureUrl", (error) => Effect.succeed(error.message)),
 *   Effect.provide(layer({ originator: "my_agent", userAgent: "my-agent/1.0" })),
 * );
 * await Effect.runPromise(program); // "plain http is refused for http://plain.example/"
 * ```
 */
export const layer = (options: UndiciTransportOptions): Layer.Layer<HttpTransport> =>
  Layer.effect(HttpTransport, make(options));
