import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import type { SignedHeaders } from "../signing/signed-headers.ts";
import type { CallerController } from "./steady-controller.ts";

type Controller = Dispatcher.DispatchController;
type Handler = Dispatcher.DispatchHandler;
type IncomingHeaders = Parameters<NonNullable<Handler["onResponseStart"]>>[2];

/** What the attempts of one dispatched request have in common. */
export interface AttemptHost {
  readonly handler: Handler;
  readonly controller: CallerController;
  /** Whether the caller's handler has been told that the request started. */
  started: boolean;
  /** What becomes of an answer, decided by its status before anything of it is passed on. */
  readonly judge: (attempt: Attempt, status: number, headers: IncomingHeaders) => Verdict;
  /** Whether a failure before any answer needs no telling: another attempt follows, or it was told already. */
  readonly takesOver: (error: Error) => boolean;
}

/** `hold` keeps the answer, unread, until `release` or `drop`. */
export type Verdict = "deliver" | "drop" | "hold";

interface Held {
  readonly controller: Controller;
  readonly status: number;
  readonly headers: IncomingHeaders;
  readonly message: string | undefined;
  /** What came nonetheless: undici's own connections can be paused, but not its MockAgent and not every interceptor. */
  readonly chunks: Array<Buffer>;
  /** How the answer ended, where it did while it was held. */
  end?: Ending;
}

type Ending = { readonly trailers: IncomingHeaders } | { readonly error: Error };

/** Bytes and milliseconds worth spending on a dropped answer to get its connection back. */
const maxDroppedBytes = 64 * 1024;
const maxDroppedMs = 1000;

/** undici's handler of one attempt: passes everything on to the caller's handler, until told to hold or to drop. */
export class Attempt implements Handler {
  readonly signed: SignedHeaders;
  readonly #host: AttemptHost;
  #state: Verdict | "waiting" = "waiting";
  #held: Held | undefined;
  #droppedBytes = 0;
  #dropTimer: NodeJS.Timeout | undefined;

  constructor(host: AttemptHost, signed: SignedHeaders) {
    this.#host = host;
    this.signed = signed;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    const host = this.#host;
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
    this.#state = status < 200 ? "waiting" : host.judge(this, status, headers);
    if (this.#state === "waiting" || this.#state === "deliver")
      host.handler.onResponseStart?.(host.controller, status, headers, message);
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
    else if (this.#state === "deliver" || !host.takesOver(error)) {
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

  /** An answer that is all here has nothing left that an abort could reach. */
  #endHeld(held: Held, end: Ending): void {
    held.end = end;
    this.#host.controller.detach();
  }

  /** Gives the held answer to the caller's handler after all. Throws what the handler throws. */
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

  /** Lets the held answer go, so that its connection can serve another attempt. */
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

const tooMuch = new Error("the answer was dropped in favour of another attempt");
