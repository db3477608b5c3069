import type { ModelProviderError } from "@agent-auth/model-provider/errors";
import * as Effect from "effect/Effect";
import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import type { CliError } from "../../errors/cli-error.ts";
import { toRequestError } from "../../http/request-error.ts";
import { isTerminal } from "../../terminal/is-terminal.ts";
import { printable } from "../../terminal/safe-text.ts";
import { toOutputError, StdoutClosed } from "../../terminal/write.ts";

/** How an answer began. */
export interface Answered {
  readonly status: number;
  readonly statusText: string;
}

/**
 * Sends a request and copies its answer to stdout, chunk by chunk, as fast as stdout's reader takes them. Ends when
 * all of it is written. Interruption drops the connection.
 */
export const printAnswer = (
  dispatcher: Pick<Dispatcher, "dispatch">,
  include: boolean,
  request: Dispatcher.DispatchOptions,
): Effect.Effect<Answered, ModelProviderError | CliError> =>
  Effect.callback((resume) => {
    const { stdout } = process;
    let running: Dispatcher.DispatchController | undefined;
    let answered: Answered = { status: 0, statusText: "" };
    const cannotWrite = (error: Error) => {
      const trouble = toOutputError(error);
      resume(trouble instanceof StdoutClosed ? Effect.die(trouble) : Effect.fail(trouble));
      running?.abort(stopped);
    };
    stdout.on("error", cannotWrite);
    let isLineOpen = false;
    // What people are told about the answer stands on a line of its own; programs get the answer's bytes and no other.
    const lineEnd = () => (isLineOpen && isTerminal(1) ? "\n" : "");
    const take = (chunk: string | Uint8Array) => {
      if (chunk.length > 0) isLineOpen = chunk.at(-1) !== "\n" && chunk.at(-1) !== NEWLINE;
      if (stdout.write(chunk)) return;
      running?.pause();
      stdout.once("drain", () => running?.resume());
    };
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        running = controller;
      },
      onResponseStart(_, status, headers, statusText = "") {
        if (status < 200) return;
        answered = { status, statusText: printable(statusText) };
        if (include) take(headText(answered, headers));
      },
      onResponseData(_, chunk) {
        take(chunk);
      },
      // The last write has to arrive before the process may end.
      onResponseEnd() {
        stdout.write(answered.status < 400 ? "" : lineEnd(), (error) => {
          if (error instanceof Error) cannotWrite(error);
          else resume(Effect.succeed(answered));
        });
      },
      onResponseError(_, error) {
        if (error === stopped) return;
        stdout.write(lineEnd(), () => resume(Effect.fail(toRequestError(error))));
      },
    };
    try {
      dispatcher.dispatch(request, handler);
    } catch (error) {
      resume(Effect.fail(toRequestError(error)));
    }
    return Effect.sync(() => running?.abort(stopped));
  });

const NEWLINE = 10;
const stopped = new Error("stopped");

const headText = ({ status, statusText }: Answered, headers: IncomingHttpHeaders): string => {
  const lines = [`HTTP/1.1 ${status} ${statusText}`.trimEnd()];
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) lines.push(`${name}: ${one ?? ""}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
};
