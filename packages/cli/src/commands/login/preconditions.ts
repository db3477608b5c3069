import { overridingEnvVar } from "@agent-auth/login/config/environment";
import { EnvironmentCredentialOverrides, PersistentStoreRequired } from "@agent-auth/login/errors";
import { checkLoginMethod, type LoginMethod } from "@agent-auth/login/config/restrictions";
import { accountsFolder } from "@agent-auth/login/storage/accounts";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { existsSync } from "node:fs";
import { CliError } from "../../errors/cli-error.ts";
import type { Session } from "../../session.ts";
import { withAccounts } from "../accounts/named-account.ts";

/**
 * What can be refused before a secret is read, a browser opened or anything sent: a way of signing in that the
 * configuration does not allow, a variable that provides the credential, a store that keeps nothing.
 */
export const checkBeforeSignIn = Effect.fnUntraced(function* (
  method: LoginMethod,
  session: Session,
) {
  const { config, environment } = session;
  yield* checkLoginMethod(config, method);
  const variable = overridingEnvVar(environment, { environmentCredentials: true, config });
  if (variable !== undefined) return yield* new EnvironmentCredentialOverrides({ variable });
  if (session.storage !== undefined) return;
  if (config.credentialsStore === "ephemeral") return yield* new PersistentStoreRequired();
  return yield* checkNotKept(session);
});

/** A sign-in revokes the tokens that it replaces. Those of a kept account are kept instead. */
const checkNotKept = Effect.fnUntraced(function* (session: Session) {
  const isPlain = !existsSync(accountsFolder(session.environment.codexHome.path));
  if (isPlain || session.account !== undefined) return;
  const { current } = yield* withAccounts(session, (accounts) => accounts.list);
  if (current?.method !== "chatgpt") return;
  const found = yield* withAccounts(session, (accounts) => accounts.nameOfCurrent);
  const name = Option.getOrUndefined(found);
  if (name !== undefined) return yield* isKept(name);
});

const isKept = (name: string) =>
  new CliError({
    code: "CLI_ACCOUNT_IN_USE",
    message: `the current sign-in is kept as ${name}, and signing in over it would revoke its tokens`,
    hint: "To keep it and sign in with another account, run: agent-auth accounts add NAME",
  });
