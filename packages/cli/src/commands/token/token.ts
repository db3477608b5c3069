import * as Effect from "effect/Effect";
import { expiryOf, methodOf, momentJson } from "../../account/describe.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { credentialTrouble } from "../../credential-trouble.ts";
import { errorJson } from "../../error-json.ts";
import { exitCode } from "../../exit-code.ts";
import { CliFailure } from "../../failure.ts";
import { reportError } from "../../report-error.ts";
import { signOnce } from "../../request-signing.ts";
import { openSession } from "../../session.ts";
import { isTerminal } from "../../terminal/is-terminal.ts";
import { mask } from "../../terminal/mask.ts";
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
    Effect.mapError(credentialTrouble),
    Effect.catch((error) =>
      Effect.sync(() => {
        if (options.json) writeJson({ error: errorJson(error) });
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
      expiresAt: momentJson(signed.credential === null ? null : expiryOf(signed.credential)),
    });
  }
  return exitCode.done;
});

const splitAuthorization = (value: string | undefined): readonly [string, string | undefined] => {
  const [scheme = "", ...rest] = value?.split(" ") ?? [];
  return [scheme, rest.length === 0 ? undefined : rest.join(" ")];
};

const noToken = new CliFailure({
  code: "CLI_NO_TOKEN",
  message: "requests to this provider carry no token",
  hint: "Choose another provider with -c model_provider=ID.",
});
