import { AuthManager } from "@agent-auth/login/manager";
import { accountsFolder } from "@agent-auth/login/storage/accounts";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { existsSync } from "node:fs";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { reportError } from "../../errors/report.ts";
import { managerLayer, openSession, type Session } from "../../session.ts";
import { printable } from "../../terminal/safe-text.ts";
import { withAccounts } from "../accounts/named-account.ts";
import { spec } from "./spec.ts";

export interface LogoutOptions {
  readonly globals: GlobalValues;
  /** The model provider whose gateway to sign out of. */
  readonly provider?: string;
}

export const command: Command<typeof spec.flags, LogoutOptions> = {
  spec,
  options: ({ flags, globals }) => ({
    globals,
    ...(flags.provider !== undefined && { provider: flags.provider }),
  }),
};

/** Removes the stored credential. Succeeds if nothing is stored. */
export const run = (options: LogoutOptions) =>
  logout(options).pipe(
    Effect.catch((error) => Effect.sync(() => reportError("Error logging out", error))),
  );

const logout = Effect.fnUntraced(function* ({ globals, provider }: LogoutOptions) {
  const session = yield* openSession(globals);
  if (provider !== undefined) {
    const { signOut } = yield* Effect.promise(() => import("../login/gateway.ts"));
    return yield* signOut(session, provider);
  }
  const kept = yield* keptCopy(session);
  // The manager warns if the tokens could not be revoked.
  const { removed } = yield* AuthManager.use((manager) => manager.logout).pipe(
    Effect.provide(managerLayer(session, "signInOrOut")),
  );
  session.notify(removed ? "Successfully logged out" : "Not logged in");
  if (kept?._tag === "Account") {
    yield* kept.forget;
    session.notify(`Removed ${kept.name} from the kept accounts`);
  }
  if (kept?._tag === "Unknown") session.notify(`warning: ${printable(kept.reason)}`);
  return exitCode.done;
});

/**
 * The kept copy of the current sign-in, which is removed because its tokens are revoked as well. If it is not known
 * whether there is one, the command warns and signs out anyway.
 */
const keptCopy = Effect.fnUntraced(function* (session: Session) {
  // With a shared store, there are no kept accounts.
  if (session.storage !== undefined) return undefined;
  if (!existsSync(accountsFolder(session.environment.codexHome.path))) return undefined;
  const found = yield* Effect.result(withAccounts(session, (accounts) => accounts.nameOfCurrent));
  if (Result.isFailure(found)) {
    // It is not known whether a current sign-in that cannot be read has a kept copy. It is removed anyway.
    return found.failure.code === "LOGIN_ACCOUNT_UNREADABLE"
      ? ({ _tag: "Unknown", reason: found.failure.message } as const)
      : undefined;
  }
  return Option.getOrUndefined(
    Option.map(found.success, (name) => {
      const forget = withAccounts(session, (accounts) => accounts.forget(name));
      return { _tag: "Account", name, forget } as const;
    }),
  );
});
