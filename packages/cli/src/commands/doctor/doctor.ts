import { explainConfig } from "@agent-auth/login/config";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { type Check, type CheckStatus, failed, ok } from "../../doctor/check.ts";
import { keysCheck, requirementsCheck } from "../../doctor/config.ts";
import { checkCredential, checkGateways, inspectCredential } from "../../doctor/credential.ts";
import {
  checkConfig,
  checkFileMode,
  checkHome,
  checkLock,
  checkStoreAndEnvironment,
} from "../../doctor/files.ts";
import { checkBackend, checkProvider, checkTls, network } from "../../doctor/network.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { openSession, type Session } from "../../session.ts";
import { hasColour } from "../../terminal/is-terminal.ts";
import { printable } from "../../terminal/safe-text.ts";
import { writeAnswer, writeJson } from "../../terminal/write.ts";
import { version } from "../../version.ts";
import { spec } from "./spec.ts";

export interface DoctorOptions {
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, DoctorOptions> = {
  spec,
  options: ({ flags, globals }) => ({ json: flags.json, globals }),
};

/** Checks everything that a request depends on. Exit code 1 if a check failed. */
export const run = Effect.fnUntraced(function* ({ json, globals }: DoctorOptions) {
  const checks = yield* examine(globals);
  const isFine = checks.every((check) => check.status !== "fail");
  if (json) writeJson({ ok: isFine, checks: checks.map(checkJson) });
  else writeAnswer(checks.flatMap(checkLines(hasColour(1))).join(""));
  return isFine ? exitCode.done : exitCode.failed;
});

const { bun, deno, node } = process.versions;
const runtime = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`;
const program = ok("program", `agent-auth ${version}, ${runtime}`);

const examine = (globals: GlobalValues): Effect.Effect<readonly Check[]> =>
  openSession(globals).pipe(
    Effect.flatMap((session) => examineSession(session, globals)),
    // Without a configuration, there is nothing else to check.
    Effect.catch((error) => Effect.succeed([program, failed("config", error)])),
  );

const examineSession = Effect.fnUntraced(function* (session: Session, globals: GlobalValues) {
  const { environment } = session;
  const explained = yield* explainConfig({ ...environment, overrides: globals.config });
  const inspected = yield* inspectCredential(session);
  const credential = Result.isSuccess(inspected) ? inspected.success?.credential : undefined;
  const online = Effect.all([checkBackend(session), checkProvider(session, credential)], {
    concurrency: "unbounded",
  }).pipe(Effect.provide(network(session)));
  const tls = yield* checkTls(session);
  const [backend, provider] = yield* online;
  return [
    program,
    yield* checkHome(session),
    checkConfig(session),
    keysCheck(explained),
    requirementsCheck(explained),
    yield* checkFileMode(session),
    ...(yield* checkStoreAndEnvironment(session)),
    yield* checkLock(session),
    tls,
    ...backend,
    provider,
    ...checkCredential(session, inspected),
    ...(yield* checkGateways(session)),
  ];
});

const checkJson = ({ name, status, detail, fix }: Check) => ({
  name,
  status,
  detail: printable(detail),
  fix: fix ?? null,
});

const colours: Readonly<Record<CheckStatus, string>> = { ok: "32", warn: "33", fail: "31" };

const checkLines = (isColoured: boolean) => (check: Check) => {
  const word = check.status.padEnd(4);
  const status = isColoured ? `\u001b[${colours[check.status]}m${word}\u001b[0m` : word;
  const first = `${status}  ${check.name.padEnd(12)}  ${printable(check.detail)}\n`;
  return check.fix === undefined ? [first] : [first, `${" ".repeat(20)}${check.fix}\n`];
};
