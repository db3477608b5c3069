import type * as Context from "effect/Context";
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

/** The context that the caller gave, with a logger for `onWarning`. */
export const callerContext = ({ context, onWarning }: CallerOptions): Layer.Layer<never> => {
  const given = context === undefined ? Layer.empty : Layer.succeedContext(context);
  return context !== undefined && onWarning === undefined
    ? given
    : Layer.merge(given, warningLogger(onWarning ?? toStderr));
};

const toStderr = (message: string): void => console.error(`agent-auth: ${message}`);

const warningLogger = (onWarning: (message: string) => void) =>
  Logger.layer([
    Logger.make(({ logLevel, message }) => {
      if (logLevel !== "Warn" && logLevel !== "Error") return;
      try {
        onWarning([message].flat().join(" "));
      } catch {
        // An error of the callback must not end a refresh that is running.
      }
    }),
  ]);
