import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { AuthTokens } from "../storage/auth-json/index.ts";
import { EnvironmentCredentialOverrides, type LoginError } from "../errors/index.ts";
import type { LogoutResult } from "./types.ts";
import { removeEverywhere, type Core } from "./core.ts";
import { revokeAt } from "./sign-in.ts";
import { overridingEnvVar } from "../config/environment.ts";
import { isMemoryInUse } from "./sources.ts";

/**
 * `AuthManager.logout`. Under the home lock, so that no refresh runs between revocation and removal; a lock that cannot
 * be taken does not keep the credential from being removed. A document that cannot be read cannot be revoked; it is
 * removed nevertheless.
 */
export const logout = Effect.fn("AuthManager.logout")(function* (
  core: Core,
): Effect.fn.Return<LogoutResult, LoginError, HttpTransport> {
  yield* refuseUnderEnvironment(core);
  const result = yield* core.lock.withLockIfAvailable(
    Effect.gen(function* () {
      const tokens = yield* storedTokens(core);
      const revoked = tokens === undefined ? undefined : yield* revokeAt(core, tokens);
      return { removed: yield* removeEverywhere(core), revoked: describe(revoked) };
    }),
    { onUnavailable: warnOfLock },
  );
  core.cell.accept(Option.none());
  // The variable that was beaten is next in line; whoever asks now gets what a new process would.
  if (overridingEnvVar(core.options.environment, core.options) !== undefined) core.cell.unload();
  return result;
});

/** External tokens and what is in memory come before `CODEX_ACCESS_TOKEN`, so there is something to let go of. */
const refuseUnderEnvironment = Effect.fnUntraced(function* (
  core: Core,
): Effect.fn.Return<void, LoginError> {
  const variable = overridingEnvVar(core.options.environment, core.options);
  if (variable === undefined) return;
  const isBeaten =
    variable === "CODEX_ACCESS_TOKEN" && (core.external.isSet() || (yield* isMemoryInUse(core)));
  if (!isBeaten) return yield* new EnvironmentCredentialOverrides({ variable });
});

const warnOfLock = (error: LoginError): Effect.Effect<void> =>
  Effect.logWarning(
    `signing out without the lock of CODEX_HOME, so a program that is refreshing the sign-in now may store it again: ${error.message}`,
  );

const describe = (revoked: boolean | undefined): LogoutResult["revoked"] => {
  if (revoked === undefined) return "notNeeded";
  return revoked ? "revoked" : "failed";
};

/** Tokens that are ours to revoke: not those that another program lent us. */
const storedTokens = (core: Core): Effect.Effect<AuthTokens | undefined> =>
  core.store.load.pipe(
    Effect.map((stored) => {
      const document = Option.getOrUndefined(stored)?.document;
      return document?.authMode === "chatgptAuthTokens" ? undefined : document?.tokens;
    }),
    Effect.catch((error) =>
      Effect.as(
        Effect.logWarning(`what is stored cannot be read, so nothing is revoked: ${error.message}`),
        undefined,
      ),
    ),
  );
