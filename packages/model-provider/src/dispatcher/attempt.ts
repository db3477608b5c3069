import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import { InterceptorOrderInvalid } from "../errors/index.ts";
import type { SignedHeaders } from "../signing/signed-headers.ts";
import type { CallerController } from "./caller-controller.ts";

type Controller = Dispatcher.DispatchController;
type Handler = Dispatcher.DispatchHandler;
type IncomingHeaders = Parameters<NonNullable<Handler["onResponseStart"]>>[2];

/** What the attempts of one dispatched request have in common. */
export interface AttemptHost {
  readonly handler: Handler;
  readonly controller: CallerController;
  /** Whether the caller's handler was notified that the request started. */
  started: boolean;
  /** Decides by its status what happens to a response, before any of it is passed on. */
  readonly decide: (attempt: Attempt, status: number, headers: IncomingHeaders) => Decision;
  /**
   * Returns whether a failure without a response is not passed to the caller: another attempt follows, or it was
   * reported already.
   */
  readonly handlesFailure: (error: Error) => boolean;
}

/** `hold` keeps the response, unread, until `release` or `drop`. */
export type Decision = "deliver" | "drop" | "hold";

interface Held {
  readonly controller: Controller;
  readonly status: number;
  readonly headers: IncomingHeaders;
  readonly message: string | undefined;
  /** Data that came although the response is paused: MockAgent and some interceptors cannot be paused. */
  readonly chunks: Array<Buffer>;
  /** How the response ended, if it did while it was held. */
  end?: Ending;
}

type Ending = { readonly trailers: IncomingHeaders } | { readonly error: Error };

/** Limits for reading a dropped response to its end, so that its connection can be reused: bytes and milliseconds. */
const maxDroppedBytes = 64 * 1024;
const maxDroppedMs = 1000;

/** The handler of one attempt. Passes everything on to the caller's handler unless told to hold or drop the response. */
export class Attempt implements Handler {
  readonly signed: SignedHeaders;
  readonly #host: AttemptHost;
  #state: Decision | "waiting" = "waiting";
  #held: Held | undefined;
  #droppedBytes = 0;
  #dropTimer: NodeJS.Timeout | undefined;

  constructor(host: AttemptHost, signed: SignedHeaders) {
    this.#host = host;
    this.signed = signed;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    const host = this.#host;
    // Nothing is written before this returns. The headers are those of the request that was redirected.
    if (isRedirected(context))
      throw new InterceptorOrderInvalid({ expectedOrigin: this.signed.target.origin });
    host.controller.attach(controller);
    if (host.started) return;
    host.started = true;
    host.handler.onRequestStart?.(host.controller, context);
  }

  onRequestUpgrade(
    _controller: Controller,
    status: number,
    headers: IncomingHeaders,
    socket: Duplex,
  ): void {
    this.#host.handler.onRequestUpgrade?.(this.#host.controller, status, headers, socket);
  }

  onResponseStarted(): void {
    this.#host.handler.onResponseStarted?.();
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: IncomingHeaders,
    message?: string,
  ): void {
    const host = this.#host;
    this.#state = status < 200 ? "waiting" : host.decide(this, status, headers);
    if (this.#state === "waiting" || this.#state === "deliver")
      host.handler.onResponseStart?.(
        host.controller,
        status,
        this.signed.isAuthenticated ? unshared(headers) : headers,
        message,
      );
    else if (this.#state === "drop") this.#startDropping(controller);
    else {
      controller.pause();
      this.#held = { controller, status, headers, message, chunks: [] };
    }
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#state === "deliver")
      this.#host.handler.onResponseData?.(this.#host.controller, chunk);
    else if (this.#held !== undefined) this.#held.chunks.push(chunk);
    else if ((this.#droppedBytes += chunk.length) > maxDroppedBytes) controller.abort(tooMuch);
  }

  onResponseEnd(_controller: Controller, trailers: IncomingHeaders): void {
    if (this.#state === "deliver")
      this.#host.handler.onResponseEnd?.(this.#host.controller, trailers);
    else if (this.#held !== undefined) this.#endHeld(this.#held, { trailers });
    else clearTimeout(this.#dropTimer);
  }

  onResponseError(_controller: Controller, error: Error): void {
    const host = this.#host;
    if (this.#held !== undefined && !host.controller.aborted) this.#endHeld(this.#held, { error });
    else if (this.#state === "drop") clearTimeout(this.#dropTimer);
    else if (this.#state === "deliver" || !host.handlesFailure(error)) {
      this.#held = undefined;
      host.handler.onResponseError?.(host.controller, error);
    }
  }

  onBodySent(chunk: Buffer): void {
    this.#host.handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.#host.handler.onRequestSent?.();
  }

  /** A response that has ended cannot be aborted any more. */
  #endHeld(held: Held, end: Ending): void {
    held.end = end;
    this.#host.controller.detach();
  }

  /** Passes the held response on to the caller's handler. Throws what the handler throws. */
  release(): void {
    const held = this.#held;
    if (held === undefined) return;
    const { controller } = this.#host;
    this.#held = undefined;
    this.#state = "deliver";
    controller.attach(held.controller);
    try {
      this.#handOver(held);
    } catch (error) {
      if (held.end !== undefined) controller.detach();
      throw error;
    }
  }

  #handOver(held: Held): void {
    const { handler, controller } = this.#host;
    handler.onResponseStart?.(controller, held.status, held.headers, held.message);
    for (const chunk of held.chunks) handler.onResponseData?.(controller, chunk);
    if (held.end === undefined) {
      if (!controller.paused) held.controller.resume();
    } else if ("error" in held.end) handler.onResponseError?.(controller, held.end.error);
    else handler.onResponseEnd?.(controller, held.end.trailers);
  }

  /** Discards the held response, so that another attempt can use its connection. */
  drop(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#state = "drop";
    if (held.end !== undefined) return;
    this.#startDropping(held.controller);
    held.controller.resume();
  }

  #startDropping(controller: Controller): void {
    this.#host.controller.detach();
    this.#dropTimer = setTimeout(() => controller.abort(tooMuch), maxDroppedMs).unref();
  }
}

const tooMuch = new Error("the response was discarded because another attempt follows");

/** undici's redirect interceptor passes the URLs that were redirected to its handler. */
const isRedirected = (context: unknown): boolean =>
  typeof context === "object" &&
  context !== null &&
  "history" in context &&
  Array.isArray(context.history) &&
  context.history.length > 0;

/** Directives that already decide whether a shared cache may store the response to a request with a credential. */
const isDecided = /(?:^|[\s,])(?:private|no-store|public|s-maxage|must-revalidate)(?:$|[\s,=])/i;

/**
 * Adds `private` to the headers of a response that a shared cache would store. A cache that is composed outside does not
 * see the credential, and would give the response of one account to another (RFC 9111 §3.5).
 */
const unshared = (headers: IncomingHeaders): IncomingHeaders => {
  const control = headers["cache-control"];
  if (
    control === undefined &&
    headers["expires"] === undefined &&
    headers["last-modified"] === undefined
  )
    return headers;
  const text = Array.isArray(control) ? control.join(", ") : (control ?? "");
  if (isDecided.test(text)) return headers;
  return { ...headers, "cache-control": text === "" ? "private" : `${text}, private` };
};
