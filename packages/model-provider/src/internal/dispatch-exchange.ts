import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import type { Dispatcher } from "undici";
import { AccountChanged, type ModelProviderError } from "../errors.ts";
import type { RequestSignerShape } from "../request-signer.ts";
import type { SignedHeaders } from "../signed-headers.ts";
import { Attempt, type AttemptHost, type Verdict } from "./dispatch-attempt.ts";
import { isFormData } from "./replay.ts";
import {
  isRetryableStatus,
  isTransportFailure,
  maxRecoveries,
  retryDelayMs,
  type RetryPolicy,
} from "./retry-policy.ts";
import { mayRepeat } from "./same-account.ts";
import { type IdleListener, SteadyController } from "./steady-controller.ts";
import { signedRequest } from "./signed-request.ts";

export interface DispatchTools {
  readonly signer: RequestSignerShape;
  readonly retry: RetryPolicy;
  readonly dispatch: Dispatcher.Dispatch;
  readonly onRecoveryFailed: (error: ModelProviderError) => void;
  readonly onStatus?: (status: number) => void;
}

/** One dispatched request, from its first attempt to the answer that the caller's handler gets. */
export class DispatchExchange implements AttemptHost, IdleListener {
  readonly handler: Dispatcher.DispatchHandler;
  readonly controller = new SteadyController(this);
  started = false;
  readonly #tools: DispatchTools;
  readonly #request: Dispatcher.DispatchOptions;
  /** Headers of the first attempt: the account that the request was made for. */
  #first: SignedHeaders | undefined;
  /** Of the last answer, where one came. */
  #status: number | undefined;
  #recoveries = 0;
  #retries = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The caller's handler has been told the end while no attempt was under way. */
  #settled = false;

  constructor(
    tools: DispatchTools,
    request: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ) {
    this.#tools = tools;
    this.#request = request;
    this.handler = handler;
  }

  /** Sends an attempt; what comes back is undici's word on backpressure. */
  send(signed: SignedHeaders): boolean {
    const { dispatch, signer } = this.#tools;
    this.#first ??= signed;
    this.#status = undefined;
    const attempt = new Attempt(this, signed);
    return dispatch(signedRequest(this.#request, signed, signer.provider.queryParams), attempt);
  }

  /** Waits for headers, then sends, unless `accepts` declines. Nothing is sent where they cannot be had. */
  sendWhenSigned(accepts?: (signed: SignedHeaders) => boolean): void {
    if (!this.started) {
      this.started = true;
      this.handler.onRequestStart?.(this.controller, {});
    }
    void this.#sign(accepts);
  }

  async #sign(accepts?: (signed: SignedHeaders) => boolean): Promise<void> {
    const signed = await Effect.runPromise(Effect.result(this.#tools.signer.sign()));
    if (Result.isFailure(signed)) this.#fail(signed.failure);
    else this.#next(signed.success, accepts);
  }

  judge(attempt: Attempt, status: number, headers: Record<string, unknown>): Verdict {
    this.#tools.onStatus?.(status);
    this.#status = status;
    if (status === 401 && this.#recoveries < maxRecoveries && attempt.signed.credential !== null) {
      this.#recoveries++;
      void this.#recover(attempt);
      return "hold";
    }
    if (!isRetryableStatus(status) || this.#isChanged(this.#tools.signer.signNow()))
      return "deliver";
    const after = headers["retry-after"];
    return this.#retryLater(typeof after === "string" ? after : null) ? "drop" : "deliver";
  }

  takesOver(error: Error): boolean {
    if (this.#settled) return true;
    return !this.controller.aborted && isTransportFailure(error) && this.#retryLater(null);
  }

  async #recover(attempt: Attempt): Promise<void> {
    const { signer, onRecoveryFailed } = this.#tools;
    const result = await Effect.runPromise(Effect.result(signer.recover(attempt.signed)));
    if (Result.isFailure(result)) onRecoveryFailed(result.failure);
    const next = Result.isSuccess(result) ? Option.getOrNull(result.success) : null;
    const isUsable = next !== null && !this.#isChanged(next) && isReplayable(this.#request.body);
    if (!isUsable || this.controller.aborted) {
      attempt.release();
      return;
    }
    attempt.drop();
    this.#next(next);
  }

  #retryLater(retryAfter: string | null): boolean {
    const { retry, signer } = this.#tools;
    if (!isReplayable(this.#request.body) || this.#retries >= retry.maxRetries) return false;
    const delayMs = retryDelayMs(retry, this.#retries, retryAfter, Date.now());
    if (delayMs === null) return false;
    this.#retries++;
    this.controller.detach();
    this.#timer = setTimeout(() => {
      const signed = signer.signNow();
      if (signed === null) this.sendWhenSigned();
      else this.#next(signed);
    }, delayMs);
    return true;
  }

  #next(signed: SignedHeaders, accepts?: (signed: SignedHeaders) => boolean): void {
    if (this.controller.aborted) return;
    if (this.#isChanged(signed)) {
      this.#fail(new AccountChanged(this.#status === undefined ? {} : { status: this.#status }));
      return;
    }
    try {
      if (accepts?.(signed) !== false) this.send(signed);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Whether these headers speak for another account than the first attempt did. */
  #isChanged(signed: SignedHeaders | null): boolean {
    return signed !== null && this.#first !== undefined && !mayRepeat(this.#first, signed);
  }

  #fail(error: Error): void {
    if (this.controller.aborted) return;
    this.#settled = true;
    this.handler.onResponseError?.(this.controller, error);
  }

  abortedWhileIdle(reason: Error): void {
    clearTimeout(this.#timer);
    this.#settled = true;
    this.handler.onResponseError?.(this.controller, reason);
  }
}

/** Whether undici can send a body a second time: nothing, text, bytes and its own `FormData`. */
const isReplayable = (body: unknown): boolean =>
  body === null ||
  body === undefined ||
  typeof body === "string" ||
  ArrayBuffer.isView(body) ||
  isFormData(body);
