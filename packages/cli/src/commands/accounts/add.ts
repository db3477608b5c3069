import { NotSignedIn } from "@agent-auth/login/errors";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import { keptAccounts } from "../../accounts/kept-accounts.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { UsageError } from "../../argv/usage-error.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { CliError } from "../../errors/cli-error.ts";
import { reportError } from "../../errors/report.ts";
import { openSession } from "../../session.ts";
import { command as login, type LoginOptions, run as runLogin } from "../login/login.ts";
import { accountName } from "./named-account.ts";
import { addSpec } from "./specs.ts";

export interface AddOptions {
  readonly name: string;
  /** Whether the present sign-in is kept, instead of a new one made. */
  readonly current: boolean;
  readonly login: LoginOptions;
  readonly globals: GlobalValues;
}

export const command: Command<typeof addSpec.flags, AddOptions> = {
  spec: addSpec,
  options: ({ flags, args, globals }) => {
    const name = accountName(args[0], addSpec.path);
    const options = login.options({ flags, args: [], globals: { ...globals, account: name } });
    if (flags.current && options.sources.length > 0) {
      throw new UsageError(
        "--current signs nobody in, so it takes no way of signing in",
        addSpec.path,
      );
    }
    return { name, current: flags.current, login: options, globals };
  },
};

/** Keeps a sign-in under a name: the present one, or a new one made beside it. */
export const run = (options: AddOptions) =>
  add(options).pipe(
    Effect.catch((error) => Effect.sync(() => reportError("Error adding an account", error))),
  );

const add = Effect.fnUntraced(function* (options: AddOptions) {
  const session = yield* openSession(options.globals);
  const accounts = keptAccounts(session);
  yield* accounts.checkPersistent;
  // One that is there and cannot be read is there.
  const found = yield* Effect.result(accounts.find(options.name));
  if (Result.isFailure(found)) return yield* taken(options.name, false);
  if (found.success !== undefined) {
    const present = yield* Effect.orElseSucceed(accounts.present, () => undefined);
    return yield* taken(options.name, present?.facts.key === found.success.facts.key);
  }
  if (options.current) {
    yield* accounts.alone(keepPresent(accounts, options.name));
    session.notify(`Kept the present sign-in as ${options.name}`);
    return exitCode.done;
  }
  yield* accounts.prepare(options.name);
  const code = yield* runLogin(options.login);
  if (code === exitCode.done) session.notify(`To use it: agent-auth accounts use ${options.name}`);
  else yield* accounts.forget(options.name);
  return code;
});

const keepPresent = Effect.fnUntraced(function* (
  accounts: ReturnType<typeof keptAccounts>,
  name: string,
) {
  const present = yield* accounts.present;
  if (present === undefined) return yield* new NotSignedIn();
  const kept = yield* accounts.accountOf(present);
  if (kept !== undefined) return yield* keptAlready(kept.name);
  yield* accounts.keep(name, present.document);
});

/** The present sign-in is not to be removed by its name. */
const taken = (name: string, isPresent: boolean) =>
  new CliError({
    code: "CLI_ACCOUNT_EXISTS",
    message: `an account is kept as ${name} already`,
    hint: isPresent
      ? "It is the present sign-in. Choose another name."
      : `Choose another name, or run: agent-auth accounts remove ${name}`,
  });

/** Two copies of one refresh token would make each other useless. */
const keptAlready = (name: string) =>
  new CliError({
    code: "CLI_ACCOUNT_EXISTS",
    message: `the present sign-in is kept as ${name} already`,
    hint: "Nothing is left to do. To see all: agent-auth accounts list",
  });
