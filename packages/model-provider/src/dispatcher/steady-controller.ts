import type { Dispatcher } from "undici";

type Controller = Dispatcher.DispatchController;
type RawHeaders = NonNullable<Controller["rawHeaders"]> | null;

/** Who hears of an abort that meets no attempt under way. */
export interface IdleListener {
  readonly abortedWhileIdle: (reason: Error) => void;
}

/**
 * The one controller that a caller's handler sees while attempts, each with a controller of its own, come and go.
 * It steers the attempt that is under way; an abort between two attempts goes to the listener.
 */
export class CallerController implements Controller {
  #target: Controller | null = null;
  #reason: Error | null = null;
  #paused = false;
  readonly #listener: IdleListener;

  constructor(listener: IdleListener) {
    this.#listener = listener;
  }

  /** Steers this attempt from now on, which ends it at once where the caller has aborted already. */
  attach(target: Controller): void {
    this.#target = target;
    if (this.#reason !== null) target.abort(this.#reason);
    else if (this.#paused) target.pause();
  }

  /** No attempt is under way. */
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
  /** `abort`, which undici's dump interceptor puts a function of its own in the place of. */
  stop(reason: Error): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    if (this.#target === null) this.#listener.abortedWhileIdle(reason);
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
