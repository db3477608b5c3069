import { AccountNameInvalid } from "@agent-auth/login/errors";
import { KeptAccounts, isAccountName, layer } from "@agent-auth/login/storage/accounts";
import * as Effect from "effect/Effect";
import { UsageError } from "../../argv/usage-error.ts";
import { keptAccountsOptions, type Session } from "../../session.ts";

/** @throws UsageError if the text cannot be the name of an account */
export const accountName = (given: string | undefined, path: readonly string[]): string => {
  if (given !== undefined && isAccountName(given)) return given;
  throw new UsageError(new AccountNameInvalid().message, path);
};

/** Runs with the kept accounts of a session. */
export const withAccounts = <A, E, R>(
  session: Session,
  use: (accounts: KeptAccounts["Service"]) => Effect.Effect<A, E, R>,
) => Effect.provide(KeptAccounts.use(use), layer(keptAccountsOptions(session)));
