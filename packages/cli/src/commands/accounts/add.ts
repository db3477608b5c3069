import * as Effect from "effect/Effect";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { UsageError } from "../../argv/usage-error.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { reportError } from "../../errors/report.ts";
import { openSession } from "../../session.ts";
import { command as login, type LoginOptions, run as runLogin } from "../login/login.ts";
import { accountName, withAccounts } from "./named-account.ts";
import { addSpec } from "./specs.ts";

export interface AddOptions {
  readonly name: string;
  /** Whether to keep the current sign-in instead of making a new one. */
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
        "--current keeps the current sign-in, so no other login flag may be given",
        addSpec.path,
      );
    }
    return { name, current: flags.current, login: options, globals };
  },
};

/** Keeps a sign-in under a name: the current one, or a new one. */
export const run = (options: AddOptions) =>
  add(options).pipe(
    Effect.catch((error) => Effect.sync(() => reportError("Error adding an account", error))),
  );

const add = Effect.fnUntraced(function* (options: AddOptions) {
  const session = yield* openSession(options.globals);
  if (options.current) {
    yield* withAccounts(session, (accounts) => accounts.addCurrent(options.name));
    session.notify(`Kept the current sign-in as ${options.name}`);
    return exitCode.done;
  }
  // The login of this command line finds the account by its name, in `options.login`.
  const code = yield* withAccounts(session, (accounts) =>
    accounts.addNew(options.name, () => runLogin(options.login)),
  );
  if (code === exitCode.done) session.notify(`To use it: agent-auth accounts use ${options.name}`);
  return code;
});
