import { AuthManager } from "@agent-auth/login/manager";
import * as Effect from "effect/Effect";
import * as Result from "effect/Result";
import { existsSync } from "node:fs";
import { accountsFolder } from "../../accounts/account-home.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { reportError } from "../../errors/report.ts";
import { managerLayer, openSession, type Session } from "../../session.ts";
import { printable } from "../../terminal/safe-text.ts";
import { spec } from "./spec.ts";

export interface LogoutOptions {
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, LogoutOptions> = {
  spec,
  options: ({ globals }) => ({ globals }),
};

/** Removes what is stored. Nothing stored is no failure. */
export const run = (options: LogoutOptions) =>
  logout(options).pipe(
    Effect.catch((error) => Effect.sync(() => reportError("Error logging out", error))),
  );

const logout = Effect.fnUntraced(function* ({ globals }: LogoutOptions) {
  const session = yield* openSession(globals);
  const kept = yield* keptCopy(session);
  // Where the tokens could not be revoked, the manager warns of it.
  const { removed } = yield* AuthManager.use((manager) => manager.logout).pipe(
    Effect.provide(managerLayer(session, "signInOrOut")),
  );
  session.notify(removed ? "Successfully logged out" : "Not logged in");
  if (kept?._tag === "Account") {
    yield* kept.forget;
    session.notify(`Removed ${kept.name} from the kept accounts`);
  }
  if (kept?._tag === "Unknown") session.notify(`warning: ${printable(kept.because)}`);
  return exitCode.done;
});

/**
 * The kept copy of the present sign-in: its tokens are revoked as well, so it would only mislead. Where nobody can tell
 * whether there is one, the person is told: signing out is what was asked for.
 */
const keptCopy = Effect.fnUntraced(function* (session: Session) {
  if (!existsSync(accountsFolder(session.environment.codexHome.path))) return undefined;
  const { keptAccounts } = yield* Effect.promise(() => import("../../accounts/kept-accounts.ts"));
  const accounts = keptAccounts(session);
  const present = yield* Effect.orElseSucceed(accounts.present, () => undefined);
  if (present === undefined) return undefined;
  const kept = yield* Effect.result(accounts.accountOf(present));
  if (Result.isFailure(kept)) return { _tag: "Unknown", because: kept.failure.message } as const;
  const name = kept.success?.name;
  return name === undefined
    ? undefined
    : ({ _tag: "Account", name, forget: accounts.forget(name) } as const);
});
