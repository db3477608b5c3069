import * as Effect from "effect/Effect";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { reportError } from "../../errors/report.ts";
import { openSession } from "../../session.ts";
import { accountName, withAccounts } from "./named-account.ts";
import { removeSpec } from "./specs.ts";

export interface RemoveOptions {
  readonly name: string;
  readonly globals: GlobalValues;
}

export const command: Command<typeof removeSpec.flags, RemoveOptions> = {
  spec: removeSpec,
  options: ({ args: [name], globals }) => ({ name: accountName(name, removeSpec.path), globals }),
};

/** Signs out of a kept account and removes it, unless it is the current sign-in. */
export const run = (options: RemoveOptions) =>
  remove(options).pipe(
    Effect.catch((error) => Effect.sync(() => reportError("Error removing an account", error))),
  );

const remove = Effect.fnUntraced(function* ({ name, globals }: RemoveOptions) {
  const session = yield* openSession(globals);
  // If the tokens cannot be revoked, login logs a warning.
  const { revoked } = yield* withAccounts(session, (accounts) => accounts.remove(name));
  session.notify(
    revoked === "unreadable"
      ? `Removed ${name}. It could not be read, so no tokens were revoked.`
      : `Removed ${name}`,
  );
  return exitCode.done;
});
