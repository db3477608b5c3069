import type { Dispatcher } from "undici";

type Controller = Dispatcher.DispatchController;
type RawHeaders = NonNullable<Controller["rawHeaders"]> | null;

/**
 * The one controller that a caller's handler sees while attempts, each with its own controller, come and go. It controls
 * the attempt that is running. `onIdleAbort` is called for an abort between two attempts.
 */
export class CallerController implements Controller {
  #target: Controller | null = null;
  #reason: Error | null = null;
  #paused = false;
  readonly #onIdleAbort: (reason: Error) => void;

  constructor(onIdleAbort: (reason: Error) => void) {
    this.#onIdleAbort = onIdleAbort;
  }

  /** Controls this attempt from now on. Aborts it at once if the caller has aborted already. */
  attach(target: Controller): void {
    this.#target = target;
    if (this.#reason !== null) target.abort(this.#reason);
    else if (this.#paused) target.pause();
  }

  /** No attempt is running any more. */
  detach(): void {
    this.#target = null;
  }

  get aborted(): boolean {
    return this.#reason !== null || (this.#target?.aborted ?? false);
  }
  get paused(): boolean {
    return this.#paused;
  }
  get reason(): Error | null {
    return this.#reason ?? this.#target?.reason ?? null;
  }
  get rawHeaders(): RawHeaders {
    return this.#target?.rawHeaders ?? null;
  }
  get rawTrailers(): RawHeaders {
    return this.#target?.rawTrailers ?? null;
  }

  abort(reason: Error): void {
    this.stop(reason);
  }
  /** As `abort`, which undici's dump interceptor overwrites on the object. */
  stop(reason: Error): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    if (this.#target === null) this.#onIdleAbort(reason);
    else this.#target.abort(reason);
  }
  pause(): void {
    this.#paused = true;
    this.#target?.pause();
  }
  resume(): void {
    this.#paused = false;
    this.#target?.resume();
  }
}
