import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import type { Dispatcher } from "undici";
import { AccountChanged, type ModelProviderError } from "../errors/index.ts";
import type { RequestSignerShape } from "../signing/request-signer.ts";
import { lasting, type SignedHeaders } from "../signing/signed-headers.ts";
import { Attempt, type AttemptHost, type Verdict } from "./dispatch-attempt.ts";
import { isReplayable } from "../requests/replay.ts";
import {
  type AttemptOutcome,
  maxRecoveries,
  retryInMs,
  type RetryPolicy,
} from "../requests/retry-policy.ts";
import { mayRepeat } from "../requests/same-account.ts";
import { type IdleListener, CallerController } from "./steady-controller.ts";
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
  readonly controller = new CallerController(this);
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
    this.#request = replayable(request);
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
    this.#orFail(this.#sign(accepts));
  }

  async #sign(accepts?: (signed: SignedHeaders) => boolean): Promise<void> {
    const { signer } = this.#tools;
    this.#next(signer.signNow() ?? (await Effect.runPromise(signer.sign())), accepts);
  }

  /** No caller waits for these promises: what they fail with ends the request. */
  #orFail(step: Promise<void>): void {
    step.catch((error: unknown) => {
      this.controller.stop(error instanceof Error ? error : new Error(String(error)));
    });
  }

  judge(attempt: Attempt, status: number, headers: Record<string, unknown>): Verdict {
    this.#tools.onStatus?.(status);
    this.#status = status;
    if (status === 401 && this.#recoveries < maxRecoveries && attempt.signed.credential !== null) {
      this.#recoveries++;
      this.#orFail(this.#recover(attempt));
      return "hold";
    }
    const retryAfter = (): string | null => {
      const value = headers["retry-after"];
      return typeof value === "string" ? value : null;
    };
    return this.#retryLater({ status, retryAfter }) ? "drop" : "deliver";
  }

  takesOver(error: Error): boolean {
    if (this.#settled) return true;
    return !this.controller.aborted && this.#retryLater({ error });
  }

  async #recover(attempt: Attempt): Promise<void> {
    const { signer, onRecoveryFailed } = this.#tools;
    const result = await Effect.runPromise(Effect.result(signer.recover(attempt.signed)));
    if (Result.isFailure(result)) onRecoveryFailed(result.failure);
    const next = Result.isSuccess(result) ? Option.getOrNull(result.success) : null;
    if (this.controller.aborted) return; // The caller has been told.
    if (next === null || this.#isChanged(next) || !isReplayable(this.#request.body)) {
      attempt.release();
      return;
    }
    attempt.drop();
    this.#next(next);
  }

  #retryLater(outcome: AttemptOutcome): boolean {
    const { retry, signer } = this.#tools;
    const delayMs = retryInMs(retry, this.#retries, this.#request.body, outcome);
    if (delayMs === null || ("status" in outcome && this.#isChanged(signer.signNow())))
      return false;
    this.#retries++;
    this.controller.detach();
    this.#timer = setTimeout(() => this.sendWhenSigned(), delayMs);
    return true;
  }

  #next(signed: SignedHeaders, accepts?: (signed: SignedHeaders) => boolean): void {
    if (this.controller.aborted) return;
    if (this.#isChanged(signed))
      throw new AccountChanged(this.#status === undefined ? {} : { status: this.#status });
    if (accepts?.(signed) !== false) this.send(signed);
  }

  /** Whether these headers speak for another account than the first attempt did. */
  #isChanged(signed: SignedHeaders | null): boolean {
    return signed !== null && this.#first !== undefined && !mayRepeat(this.#first, signed);
  }

  abortedWhileIdle(reason: Error): void {
    clearTimeout(this.#timer);
    this.#settled = true;
    this.handler.onResponseError?.(this.controller, reason);
  }
}

const replayable = (request: Dispatcher.DispatchOptions): Dispatcher.DispatchOptions => {
  const { headers } = request;
  if (headers === null || headers === undefined || Array.isArray(headers)) return request;
  const kept = lasting(headers);
  return kept === headers ? request : { ...request, headers: kept };
};
