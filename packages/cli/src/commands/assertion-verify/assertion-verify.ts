import {
  AgentPublicKeys,
  parseAgentAssertion,
  type VerifiedAgentAssertion,
  verifyAgentAssertion,
} from "@agent-auth/agent-identity/assertion/verifier";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { parseInteger } from "../../argv/parse.ts";
import { errorToJson, type Reportable, reportError } from "../../errors/report.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { readSecret, refuseTerminal } from "../../terminal/read-secret.ts";
import { formatRows } from "../../terminal/layout.ts";
import { isoSeconds } from "../../terminal/time.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { findPublicKey } from "./find-public-key.ts";
import { spec } from "./spec.ts";

export interface AssertionVerifyOptions {
  /** SSH form, or a file that holds it; default: the signed-in agent's. */
  readonly publicKey?: string;
  readonly runtime?: string;
  readonly task?: string;
  readonly windowSeconds: number;
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, AssertionVerifyOptions> = {
  spec,
  options: ({ flags, globals }) => ({
    windowSeconds: parseInteger("--window", flags.window ?? "300", {
      min: 1,
      max: 86_400,
      path: spec.path,
    }),
    json: flags.json,
    globals,
    ...(flags["public-key"] !== undefined && { publicKey: flags["public-key"] }),
    ...(flags.runtime !== undefined && { runtime: flags.runtime }),
    ...(flags.task !== undefined && { task: flags.task }),
  }),
};

/** Exit code 0 means that a server with this key would accept the header now. */
export const run = (options: AssertionVerifyOptions) =>
  verify(options).pipe(Effect.catch((error) => Effect.sync(() => refuse(options, error))));

const prompt = {
  noun: "AgentAssertion header",
  flag: "assertion verify",
  example: "agent-auth assertion verify --public-key agent.pub < header.txt",
};

const verify = Effect.fnUntraced(function* (options: AssertionVerifyOptions) {
  yield* refuseTerminal(prompt);
  const line = Redacted.value(yield* readSecret(prompt));
  const header = line.replace(/^authorization:\s*/iu, "");
  const { agentRuntimeId } = yield* parseAgentAssertion(header);
  const key = yield* findPublicKey(options);
  const verified = yield* verifyAgentAssertion(header, {
    isKnownTask:
      options.task === undefined ? null : ({ taskId }) => Effect.succeed(taskId === options.task),
    clockWindowSeconds: options.windowSeconds,
    ...(options.runtime !== undefined && { expectedAgentRuntimeId: options.runtime }),
  }).pipe(Effect.provide(AgentPublicKeys.layerMemory(new Map([[agentRuntimeId, key]]))));
  if (options.json) writeJson({ valid: true, publicKey: key.ssh, ...verifiedJson(verified) });
  else writeAnswer(`${verifiedLines(verified, key.ssh).join("\n")}\n`);
  return exitCode.done;
});

const verifiedJson = (verified: VerifiedAgentAssertion) => ({
  agentRuntimeId: verified.agentRuntimeId,
  taskId: verified.taskId,
  signedAt: isoSeconds(verified.timestampMs),
});

const verifiedLines = (verified: VerifiedAgentAssertion, ssh: string) => [
  "The assertion is valid.",
  ...formatRows([
    ["agent", verified.agentRuntimeId],
    ["task", verified.taskId],
    ["signed", isoSeconds(verified.timestampMs) ?? ""],
    ["key", ssh],
  ]),
];

const refuse = (options: AssertionVerifyOptions, error: Reportable) => {
  if (options.json) writeJson({ valid: false, error: errorToJson(error) });
  reportError("The assertion was rejected", error);
  return exitCode.failed;
};
