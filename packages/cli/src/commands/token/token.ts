import * as Effect from "effect/Effect";
import { expiryOf, methodOf } from "../../account/describe.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { explainCredentialError } from "../../errors/credential-error.ts";
import { errorToJson, reportError } from "../../errors/report.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { CliError } from "../../errors/cli-error.ts";
import { signOnce } from "../../request-signing.ts";
import { openSession } from "../../session.ts";
import { isTerminal } from "../../terminal/is-terminal.ts";
import { mask } from "../../terminal/safe-text.ts";
import { isoSeconds } from "../../terminal/time.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { spec } from "./spec.ts";

export interface TokenOptions {
  readonly show: boolean;
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, TokenOptions> = {
  spec,
  options: ({ flags, globals }) => ({ show: flags.show, json: flags.json, globals }),
};

/** Prints the token of the next request. */
export const run = (options: TokenOptions) =>
  token(options).pipe(
    Effect.mapError(explainCredentialError),
    Effect.catch((error) =>
      Effect.sync(() => {
        if (options.json) writeJson({ error: errorToJson(error) });
        return reportError("Error getting a token", error);
      }),
    ),
  );

const token = Effect.fnUntraced(function* (options: TokenOptions) {
  const session = yield* openSession(options.globals);
  const signed = yield* signOnce(session);
  const [scheme, secret] = splitAuthorization(signed.toRecord()["Authorization"]);
  if (secret === undefined) return yield* noToken;
  const shown = options.show || !isTerminal(1) ? secret : mask(secret);
  if (!options.json) writeAnswer(`${shown}\n`);
  else {
    writeJson({
      method: signed.credential === null ? null : methodOf(signed.credential),
      scheme,
      token: shown,
      expiresAt: isoSeconds(signed.credential === null ? null : expiryOf(signed.credential)),
    });
  }
  return exitCode.done;
});

const splitAuthorization = (value: string | undefined): readonly [string, string | undefined] => {
  const [scheme = "", ...rest] = value?.split(" ") ?? [];
  return [scheme, rest.length === 0 ? undefined : rest.join(" ")];
};

const noToken = new CliError({
  code: "CLI_NO_TOKEN",
  message: "requests to this provider carry no token",
  hint: "Choose another provider with -c model_provider=ID.",
});
