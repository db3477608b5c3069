import { overridingEnvVar } from "@agent-auth/login/config/environment";
import { EnvironmentCredentialOverrides } from "@agent-auth/login/errors";
import * as Effect from "effect/Effect";
import { cannotRead } from "../../accounts/account-trouble.ts";
import { keptAccounts } from "../../accounts/kept-accounts.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { CliError } from "../../errors/cli-error.ts";
import { reportError } from "../../errors/report.ts";
import { openSession } from "../../session.ts";
import { accountName, unknownAccount } from "./named-account.ts";
import { useSpec } from "./specs.ts";

export interface UseOptions {
  readonly name: string;
  readonly globals: GlobalValues;
}

export const command: Command<typeof useSpec.flags, UseOptions> = {
  spec: useSpec,
  options: ({ args: [name], globals }) => ({ name: accountName(name, useSpec.path), globals }),
};

/** Switches to a kept sign-in. The one before it is put aside with its newest tokens. */
export const run = (options: UseOptions) =>
  use(options).pipe(
    Effect.catch((error) => Effect.sync(() => reportError("Error switching accounts", error))),
  );

const use = Effect.fnUntraced(function* ({ name, globals }: UseOptions) {
  const session = yield* openSession(globals);
  const variable = overridingEnvVar(session.environment, { environmentCredentials: true });
  if (variable !== undefined) return yield* new EnvironmentCredentialOverrides({ variable });
  const accounts = keptAccounts(session);
  yield* accounts.checkPersistent;
  const isSwitched = yield* accounts.alone(switchTo(accounts, name));
  session.notify(isSwitched ? `Now using ${name}` : `Already using ${name}`);
  return exitCode.done;
});

/** Under the home lock. First what is present is kept, then it is replaced: a crash in between loses nothing. */
const switchTo = Effect.fnUntraced(function* (
  accounts: ReturnType<typeof keptAccounts>,
  name: string,
) {
  const wanted = yield* Effect.catchTag(accounts.find(name), "AuthJsonInvalid", (error) =>
    Effect.fail(cannotRead({ name, error })),
  );
  if (wanted === undefined) return yield* unknownAccount(name);
  const present = yield* accounts.present;
  if (present?.facts.key === wanted.facts.key) return false;
  if (present !== undefined) {
    const kept = yield* accounts.accountOf(present);
    if (kept === undefined) return yield* notKept;
    yield* accounts.keep(kept.name, present.document);
  }
  yield* accounts.makePresent(wanted.document);
  return true;
});

const notKept = new CliError({
  code: "CLI_ACCOUNT_NOT_KEPT",
  message: "the present sign-in is not kept under any name and would be lost",
  hint: "Run: agent-auth accounts add NAME --current",
});
