import { AuthManager } from "@agent-auth/login/auth-manager";
import * as Effect from "effect/Effect";
import { existsSync } from "node:fs";
import { accountsFolder } from "../../accounts/account-home.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { exitCode } from "../../exit-code.ts";
import { reportError } from "../../report-error.ts";
import { managerLayer, openSession, type Session } from "../../session.ts";
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
  const kept = yield* keptName(session);
  const { removed, revoked } = yield* AuthManager.use((manager) => manager.logout).pipe(
    Effect.provide(managerLayer(session, "signInOrOut")),
  );
  session.say(removed ? "Successfully logged out" : "Not logged in");
  if (kept !== undefined) {
    yield* kept.forget;
    session.say(`Removed ${kept.name} from the kept accounts`);
  }
  if (revoked === "failed") {
    session.say("Warning: the authority did not confirm that the tokens are revoked.");
  }
  return exitCode.done;
});

/** The kept copy of the present sign-in: its tokens are revoked as well, so it would only mislead. */
const keptName = Effect.fnUntraced(function* (session: Session) {
  if (!existsSync(accountsFolder(session.environment.codexHome.path))) return undefined;
  const { keptAccounts } = yield* Effect.promise(() => import("../../accounts/kept-accounts.ts"));
  const accounts = keptAccounts(session);
  const kept = yield* Effect.orElseSucceed(accounts.presentAccount, () => undefined);
  return kept === undefined ? undefined : { name: kept.name, forget: accounts.forget(kept.name) };
});
