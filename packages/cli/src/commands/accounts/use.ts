import * as Effect from "effect/Effect";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { reportError } from "../../errors/report.ts";
import { openSession } from "../../session.ts";
import { accountName, withAccounts } from "./named-account.ts";
import { useSpec } from "./specs.ts";

export interface UseOptions {
  readonly name: string;
  readonly globals: GlobalValues;
}

export const command: Command<typeof useSpec.flags, UseOptions> = {
  spec: useSpec,
  options: ({ args: [name], globals }) => ({ name: accountName(name, useSpec.path), globals }),
};

/** Switches to a kept sign-in. The previous one is saved under its name, with its newest tokens. */
export const run = (options: UseOptions) =>
  use(options).pipe(
    Effect.catch((error) => Effect.sync(() => reportError("Error switching accounts", error))),
  );

const use = Effect.fnUntraced(function* ({ name, globals }: UseOptions) {
  const session = yield* openSession(globals);
  const isSwitched = yield* withAccounts(session, (accounts) => accounts.use(name));
  session.notify(isSwitched ? `Now using ${name}` : `Already using ${name}`);
  return exitCode.done;
});
