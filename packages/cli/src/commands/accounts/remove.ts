import { AuthManager } from "@agent-auth/login/manager";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import { keptAccounts } from "../../accounts/kept-accounts.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { CliError } from "../../errors/cli-error.ts";
import { reportError } from "../../errors/report.ts";
import { managerLayer, openSession } from "../../session.ts";
import { accountName, unknownAccount } from "./named-account.ts";
import { removeSpec } from "./specs.ts";

export interface RemoveOptions {
  readonly name: string;
  readonly globals: GlobalValues;
}

export const command: Command<typeof removeSpec.flags, RemoveOptions> = {
  spec: removeSpec,
  options: ({ args: [name], globals }) => ({ name: accountName(name, removeSpec.path), globals }),
};

/** Signs a kept account out and forgets it. The present one is left alone. */
export const run = (options: RemoveOptions) =>
  remove(options).pipe(
    Effect.catch((error) => Effect.sync(() => reportError("Error removing an account", error))),
  );

const remove = Effect.fnUntraced(function* ({ name, globals }: RemoveOptions) {
  const session = yield* openSession({ ...globals, account: name });
  const accounts = keptAccounts(session);
  const found = yield* Effect.result(accounts.find(name));
  if (Result.isFailure(found)) {
    yield* accounts.forget(name);
    session.notify(`Removed ${name}. It could not be read, so no tokens were revoked.`);
    return exitCode.done;
  }
  const kept = found.success;
  if (kept === undefined) return yield* unknownAccount(name);
  const present = yield* accounts.present;
  if (present?.facts.key === kept.facts.key) return yield* inUse(name);
  // Where the tokens could not be revoked, the manager warns of it.
  yield* AuthManager.use((manager) => manager.logout).pipe(
    Effect.provide(managerLayer(session, "signInOrOut")),
  );
  yield* accounts.forget(name);
  session.notify(`Removed ${name}`);
  return exitCode.done;
});

const inUse = (name: string) =>
  new CliError({
    code: "CLI_ACCOUNT_IN_USE",
    message: `${name} is the present sign-in`,
    hint: "Switch to another first, or sign out. Run: agent-auth logout",
  });
