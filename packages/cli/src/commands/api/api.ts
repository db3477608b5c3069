import * as Effect from "effect/Effect";
import type { Command } from "../../argv/command-spec.ts";
import { explainCredentialError } from "../../errors/credential-error.ts";
import { reportError } from "../../errors/report.ts";
import { type ApiOptions, readOptions } from "./options.ts";
import { sendAndPrint } from "./send.ts";
import { spec } from "./spec.ts";

export const command: Command<typeof spec.flags, ApiOptions> = { spec, options: readOptions };

/** Sends one request and streams the response to stdout; the exit code depends on its status. */
export const run = (options: ApiOptions) =>
  sendAndPrint(options).pipe(
    Effect.mapError(explainCredentialError),
    Effect.catch((error) => Effect.sync(() => reportError("Error sending request", error))),
  );
