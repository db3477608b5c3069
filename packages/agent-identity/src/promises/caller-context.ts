import * as Context from "effect/Context";
import * as Layer from "effect/Layer";
import * as Logger from "effect/Logger";

/** Where the warnings of the Promise functions go. */
export interface CallerOptions {
  /**
   * An Effect context, for example with your loggers and tracer, in which everything runs. Warnings go to its loggers
   * then, unless there is an `onWarning`.
   */
  readonly context?: Context.Context<never>;
  /**
   * Called with each warning: one line, without secrets. Default: writes a line to stderr. What it throws is ignored.
   */
  readonly onWarning?: (message: string) => void;
}

/**
 * Returns the context that the caller gave, with a logger for `onWarning`.
 *
 * @example
 * ```ts
 * import { callerContext } from "@agent-auth/agent-identity/promises/caller-context";
 * import * as Effect from "effect/Effect";
 *
 * const lines: Array<string> = [];
 * const context = callerContext({ onWarning: (line) => void lines.push(line) });
 * await Effect.runPromiseWith(context)(Effect.logWarning("the store is down"));
 * lines; // ["the store is down"]
 * ```
 */
export const callerContext = ({ context, onWarning }: CallerOptions): Context.Context<never> =>
  context !== undefined && onWarning === undefined
    ? context
    : warningContext(onWarning ?? warnOnStderr, context);

/**
 * Returns `callerContext` as a layer.
 *
 * @example
 * ```ts
 * import { callerLayer } from "@agent-auth/agent-identity/promises/caller-context";
 * import * as Effect from "effect/Effect";
 *
 * const layer = callerLayer({ onWarning: () => {} });
 * await Effect.runPromise(Effect.provide(Effect.logWarning("is not printed"), layer));
 * ```
 */
export const callerLayer = (options: CallerOptions): Layer.Layer<never> =>
  Layer.succeedContext(callerContext(options));

/**
 * Returns a context whose only logger passes warnings and errors, each on one line, to `onWarning`.
 *
 * @example
 * ```ts
 * import { warningContext, warnOnStderr } from "@agent-auth/agent-identity/promises/caller-context";
 * import * as Effect from "effect/Effect";
 *
 * Effect.runSyncWith(warningContext(warnOnStderr))(Effect.logInfo("is not printed"));
 * ```
 */
export const warningContext = (
  onWarning: (message: string) => void,
  context: Context.Context<never> = Context.empty(),
): Context.Context<never> =>
  Context.add(context, Logger.CurrentLoggers, new Set([warningLogger(onWarning)]));

/**
 * Writes a warning to stderr, as one line: the default of `onWarning`.
 *
 * @example
 * ```ts
 * import { warnOnStderr } from "@agent-auth/agent-identity/promises/caller-context";
 *
 * warnOnStderr("the store is down"); // agent-auth: the store is down
 * ```
 */
export const warnOnStderr = (message: string): void => console.error(`agent-auth: ${message}`);

const warningLogger = (onWarning: (message: string) => void) =>
  Logger.make(({ logLevel, message }) => {
    if (logLevel !== "Warn" && logLevel !== "Error") return;
    try {
      onWarning([message].flat().join(" "));
    } catch {
      // An error of the callback must not end the work that is running, such as a refresh.
    }
  });
