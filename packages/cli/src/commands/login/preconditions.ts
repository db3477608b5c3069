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
 * Fails if the configuration does not allow the login method, an environment variable provides the credential, the
 * store is not persistent, or the current sign-in is kept as an account. Called before a secret is read, a browser is
 * opened or anything is sent.
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

/** Fails if the current sign-in is kept as an account, because a new sign-in would revoke its tokens. */
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
    message: `the current sign-in is kept as ${name}, and a new sign-in would replace it and revoke its tokens`,
    hint: "To keep it and sign in with another account, run: agent-auth accounts add NAME",
  });
