import type { ModelProviderError } from "@agent-auth/model-provider/errors";
import * as Effect from "effect/Effect";
import type { Dispatcher } from "undici";
import { CliError } from "../../errors/cli-error.ts";
import { toRequestError } from "../../http/request-error.ts";
import { printable } from "../../terminal/safe-text.ts";
import { StdoutClosed, toOutputError } from "../../terminal/write.ts";
import type { ResponseHead, ResponseOutput } from "./response-output.ts";

/**
 * Sends a request and copies its response to stdout as fast as stdout's reader takes it. Succeeds when all of it is
 * written. Interruption drops the connection.
 */
export const printResponse = (
  dispatcher: Pick<Dispatcher, "dispatch">,
  output: ResponseOutput,
  request: Dispatcher.DispatchOptions,
): Effect.Effect<ResponseHead, ModelProviderError | CliError> =>
  Effect.callback((resume) => {
    const { stdout } = process;
    let running: Dispatcher.DispatchController | undefined;
    let head: ResponseHead = { status: 0, statusText: "" };
    const failToWrite = (error: Error) => {
      const outputError = toOutputError(error);
      resume(
        outputError instanceof StdoutClosed ? Effect.die(outputError) : Effect.fail(outputError),
      );
      running?.abort(stopped);
    };
    stdout.on("error", failToWrite);
    const write = (chunk: string | Uint8Array) => {
      if (chunk.length === 0 || stdout.write(chunk)) return;
      running?.pause();
      stdout.once("drain", () => running?.resume());
    };
    // The last write has to reach stdout before the process may end.
    const writeLast = (chunk: string, done: () => void) => {
      stdout.write(chunk, (error) => {
        if (error instanceof Error) failToWrite(error);
        else done();
      });
    };
    const fail = (error: unknown) => {
      if (!(error instanceof CliError)) throw error;
      resume(Effect.fail(error));
    };
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        running = controller;
      },
      onResponseStart(_, status, headers, statusText = "") {
        if (status < 200) return;
        head = { status, statusText: printable(statusText) };
        write(output.head(head, headers));
      },
      onResponseData(controller, chunk) {
        try {
          write(output.data(chunk));
        } catch (error) {
          fail(error);
          controller.abort(stopped);
        }
      },
      onResponseEnd() {
        try {
          writeLast(output.end("complete"), () => resume(Effect.succeed(head)));
        } catch (error) {
          fail(error);
        }
      },
      onResponseError(_, error) {
        if (error === stopped) return;
        writeLast(output.end("broken"), () => resume(Effect.fail(toRequestError(error))));
      },
    };
    try {
      dispatcher.dispatch(request, handler);
    } catch (error) {
      resume(Effect.fail(toRequestError(error)));
    }
    return Effect.sync(() => running?.abort(stopped));
  });

const stopped = new Error("stopped");
