import { AuthManager } from "@agent-auth/login/auth-manager";
import * as Effect from "effect/Effect";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { exitCode } from "../../exit-code.ts";
import { reportError } from "../../report-error.ts";
import { managerLayer, openSession } from "../../session.ts";
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
  const { removed, revoked } = yield* AuthManager.use((manager) => manager.logout).pipe(
    Effect.provide(managerLayer(session, "signInOrOut")),
  );
  session.say(removed ? "Successfully logged out" : "Not logged in");
  if (revoked === "failed") {
    session.say("Warning: the authority did not confirm that the tokens are revoked.");
  }
  return exitCode.done;
});
