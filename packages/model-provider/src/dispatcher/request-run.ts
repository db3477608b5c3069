import { parseRetryAfterMs } from "@agent-auth/agent-identity/http/retry-after";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import type { Dispatcher } from "undici";
import { AccountChanged } from "../errors/index.ts";
import { isReplayable } from "../requests/body.ts";
import {
  initialState,
  isFinalStatus,
  isIdempotent,
  nextAction,
  type Outcome,
  type RequestFacts,
  type RunState,
} from "../requests/next-action.ts";
import { makeRetryWait, type RequestTools, type RetryWait } from "../requests/options.ts";
import type { SignedHeaders } from "../signing/signed-headers.ts";
import { Attempt, type AttemptHost, type Decision } from "./attempt.ts";
import { CallerController } from "./caller-controller.ts";
import { headerNames, replayableRequest, signedRequest } from "./signed-request.ts";

/** What all requests of one interceptor share. */
export interface DispatchTools extends Omit<RequestTools, "otherOrigins"> {
  readonly dispatch: Dispatcher.Dispatch;
  readonly onStatus?: (status: number) => void;
}

/** Runs one dispatched request, from its first attempt to the response that the caller's handler gets. */
export class RequestRun implements AttemptHost {
  readonly handler: Dispatcher.DispatchHandler;
  readonly controller = new CallerController((reason) => this.#abortWhileIdle(reason));
  started = false;
  readonly #tools: DispatchTools;
  readonly #request: Dispatcher.DispatchOptions;
  /** Headers of the first attempt: the account that the request is made for. */
  #first: SignedHeaders | undefined;
  /** Headers of the attempt that is running. */
  #current: SignedHeaders | undefined;
  /** Status of the last response, if there was one. */
  #status: number | undefined;
  #state: RunState;
  #wait: RetryWait | undefined;
  #waiting: AbortController | undefined;
  /** The caller's handler was notified of the end while no attempt was running. */
  #settled = false;

  constructor(
    tools: DispatchTools,
    request: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ) {
    this.#tools = tools;
    this.#request = replayableRequest(request);
    this.#state = initialState(tools.retry);
    this.handler = handler;
  }

  /** Sends an attempt. Returns what undici says about back-pressure. */
  send(signed: SignedHeaders): boolean {
    const { dispatch, signer } = this.#tools;
    this.#first ??= signed;
    this.#current = signed;
    this.#status = undefined;
    const attempt = new Attempt(this, signed);
    return dispatch(signedRequest(this.#request, signed, signer.provider.queryParams), attempt);
  }

  /** Waits for headers, then sends, unless `accepts` returns false. Sends nothing if there are no headers. */
  sendWhenSigned(accepts?: (signed: SignedHeaders) => boolean): void {
    if (!this.started) {
      this.started = true;
      this.handler.onRequestStart?.(this.controller, {});
    }
    this.#orFail(this.#sign(accepts));
  }

  async #sign(accepts?: (signed: SignedHeaders) => boolean): Promise<void> {
    const { signer, runtime } = this.#tools;
    this.#sendSigned(signer.signNow() ?? (await runtime.run(signer.sign())), accepts);
  }

  #sendSigned(signed: SignedHeaders, accepts?: (signed: SignedHeaders) => boolean): void {
    if (this.controller.aborted) return;
    if (this.#first !== undefined && !this.#first.mayBeReplacedBy(signed))
      throw new AccountChanged(this.#status === undefined ? {} : { status: this.#status });
    if (accepts?.(signed) !== false) this.send(signed);
  }

  /** No caller waits for these promises: if one rejects, the request fails with its reason. */
  #orFail(step: Promise<void>): void {
    step.catch((error: unknown) => {
      this.controller.stop(error instanceof Error ? error : new Error(String(error)));
    });
  }

  decide(attempt: Attempt, status: number, headers: Record<string, unknown>): Decision {
    this.#tools.onStatus?.(status);
    this.#status = status;
    if (isFinalStatus(status)) return "deliver";
    const retryAfter = headers["retry-after"];
    const action = this.#decide({
      _tag: "Answered",
      status,
      retryAfterMs: parseRetryAfterMs(
        typeof retryAfter === "string" ? retryAfter : undefined,
        this.#tools.runtime.nowMs(),
      ),
      ...this.#facts(),
    });
    if (action._tag === "Recover") {
      this.#orFail(this.#recover(attempt));
      return "hold";
    }
    if (action._tag !== "SendAgain") return "deliver";
    this.#sendLater(action.delayMs);
    return "drop";
  }

  handlesFailure(error: Error): boolean {
    if (this.#settled) return true;
    const action = this.#decide({
      _tag: "Failed",
      error,
      isAborted: this.controller.aborted,
      ...this.#facts(),
    });
    if (action._tag !== "SendAgain") return false;
    this.#sendLater(action.delayMs);
    return true;
  }

  #decide(outcome: Outcome) {
    const [action, state] = nextAction(this.#state, outcome);
    this.#state = state;
    return action;
  }

  #facts(): RequestFacts {
    const { body, headers, method } = this.#request;
    const now = this.#tools.signer.signNow();
    return {
      isAuthenticated: this.#current?.canRecover === true,
      isReplayable: isReplayable(body),
      isIdempotent: isIdempotent(method, () => headerNames(headers)),
      isAccountChanged: now !== null && this.#first?.mayBeReplacedBy(now) === false,
    };
  }

  async #recover(attempt: Attempt): Promise<void> {
    const { signer, runtime, onRecoveryFailed } = this.#tools;
    const result = await runtime.run(
      Effect.result(signer.recover(attempt.signed, this.#first ?? attempt.signed)),
    );
    if (Result.isFailure(result)) onRecoveryFailed(result.failure);
    const next = Result.isSuccess(result) ? Option.getOrNull(result.success) : null;
    if (this.controller.aborted) return; // The caller was notified.
    const action = this.#decide({
      _tag: "Recovered",
      hasCredential: next !== null,
      isReplayable: isReplayable(this.#request.body),
    });
    if (next === null || action._tag !== "SendRecovered") {
      attempt.release();
      return;
    }
    attempt.drop();
    this.send(next);
  }

  #sendLater(delayMs: number | undefined): void {
    const { retry, runtime } = this.#tools;
    this.controller.detach();
    this.#wait ??= makeRetryWait(retry);
    this.#waiting = new AbortController();
    runtime.runInterruptible(this.#wait(delayMs), this.#waiting.signal).then(
      () => this.sendWhenSigned(),
      () => {}, // Aborted: the caller was notified.
    );
  }

  #abortWhileIdle(reason: Error): void {
    this.#waiting?.abort();
    this.#settled = true;
    this.handler.onResponseError?.(this.controller, reason);
  }
}
