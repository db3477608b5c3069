import { configForChild } from "@agent-auth/login/config";
import { credentialVariables, withoutVariables } from "@agent-auth/login/config/environment";
import type { CredentialSource } from "@agent-auth/login/credential";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { explainCredentialError } from "../../errors/credential-error.ts";
import { reportError } from "../../errors/report.ts";
import { openSession, type Session } from "../../session.ts";
import { exportableCredential } from "./exportable-credential.ts";
import { runProgram } from "./run-program.ts";
import { spec } from "./spec.ts";

export interface ExecOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, ExecOptions> = {
  spec,
  options: ({ args: [program = "", ...args], globals }) => ({ program, args, globals }),
};

/** Runs a program with the credential in its environment; its exit code becomes that of this process. */
export const run = (options: ExecOptions) =>
  exec(options).pipe(
    Effect.mapError(explainCredentialError),
    Effect.catch((error) => Effect.sync(() => reportError("Error running a program", error))),
  );

const exec = Effect.fnUntraced(function* ({ program, args, globals }: ExecOptions) {
  const session = yield* openSession(globals);
  const { variable, secret, source } = yield* exportableCredential(session);
  const consumed = source._tag === "WorkloadIdentity" ? yield* variablesOf(source, session) : [];
  // Else a library in the program would exchange the identity itself, instead of using what it is given.
  const overrides =
    source._tag === "WorkloadIdentity"
      ? [...globals.config, "agent_auth.workload_identity.source=none"]
      : globals.config;
  const toml = yield* configForChild({ ...session.environment, overrides });
  const env = {
    ...withoutVariables(process.env, [...credentialVariables, ...consumed]),
    ...(toml !== undefined && { AGENT_AUTH_CONFIG: toml }),
    [variable]: Redacted.value(secret),
  };
  return yield* runProgram(program, args, env);
});

const variablesOf = (
  { identitySource }: Extract<CredentialSource, { readonly _tag: "WorkloadIdentity" }>,
  { config }: Session,
) =>
  Effect.promise(async () => {
    const { consumedVariables } = await import("@agent-auth/login/workload-identity");
    return consumedVariables(identitySource, config.workloadIdentity);
  });
