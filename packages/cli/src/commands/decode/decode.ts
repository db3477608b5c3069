import {
  decodeUnverifiedAgentIdentityJwt,
  type UnverifiedAgentIdentityJwt,
} from "@agent-auth/agent-identity/jwt";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { identityJson, identityRows } from "../../account/agent-identity.ts";
import type { Command } from "../../argv/command-spec.ts";
import { errorToJson, type Reportable, reportError } from "../../errors/report.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { readSecret, refuseTerminal } from "../../terminal/read-secret.ts";
import { formatRows } from "../../terminal/layout.ts";
import { isoSeconds, timeText } from "../../terminal/time.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { spec } from "./spec.ts";

export interface DecodeOptions {
  readonly json: boolean;
}

export const command: Command<typeof spec.flags, DecodeOptions> = {
  spec,
  options: ({ flags }) => ({ json: flags.json }),
};

/** Shows claims that nothing has verified. Sends no request and reads no configuration. */
export const run = (options: DecodeOptions) =>
  decode(options).pipe(Effect.catch((error) => Effect.sync(() => refuse(options, error))));

const prompt = {
  noun: "agent identity JWT",
  flag: "decode",
  example: "agent-auth decode < agent.jwt",
};

const decode = Effect.fnUntraced(function* (options: DecodeOptions) {
  yield* refuseTerminal(prompt);
  const jwt = yield* readSecret(prompt);
  const decoded = yield* decodeUnverifiedAgentIdentityJwt(jwt);
  const nowMs = yield* Clock.currentTimeMillis;
  if (options.json) writeJson(decodedJson(decoded));
  else writeAnswer(`${decodedLines(decoded, nowMs).join("\n")}\n`);
  return exitCode.done;
});

const decodedJson = ({ header, unverifiedRecord, expiresAtMs }: UnverifiedAgentIdentityJwt) => ({
  verified: false,
  header: { alg: header.alg, kid: header.kid },
  expiresAt: isoSeconds(expiresAtMs),
  unverifiedIdentity: identityJson(unverifiedRecord),
});

const decodedLines = (decoded: UnverifiedAgentIdentityJwt, nowMs: number) => [
  "Not verified: anyone can write such a token. To check it: agent-auth verify",
  ...formatRows([
    ...identityRows(decoded.unverifiedRecord),
    ["key", decoded.header.kid],
    ["expires", timeText(decoded.expiresAtMs, nowMs)],
  ]),
];

const refuse = (options: DecodeOptions, error: Reportable) => {
  if (options.json) writeJson({ verified: false, error: errorToJson(error) });
  reportError("The token cannot be read", error);
  return exitCode.failed;
};
