import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { overridingEnvVar } from "../config/environment.ts";
import { EnvironmentCredentialOverrides, type LoginError } from "../errors/index.ts";
import type { AuthTokens } from "../storage/auth-json/index.ts";
import type { ManagerDeps } from "./deps.ts";
import { removeEverywhere } from "./load.ts";
import { isMemoryInUse } from "./sources.ts";
import { codexHomeOf, type LogoutResult } from "./types.ts";

/**
 * `AuthManager.logout`: removes the credential under the home lock, then revokes it. A lock that cannot be taken, or an
 * authority that does not respond, does not keep the secret on disk. A document that does not parse cannot be revoked,
 * but is removed. If it cannot be removed, it is revoked nevertheless.
 */
export const logout = Effect.fn("AuthManager.logout")(function* (
  deps: ManagerDeps,
): Effect.fn.Return<LogoutResult, LoginError, HttpTransport> {
  yield* refuseOverridden(deps);
  let isLocked = true as boolean;
  const { removal, tokens } = yield* deps.homeLock.withLockIfAvailable(
    Effect.gen(function* () {
      const tokens = yield* storedTokens(deps);
      return { tokens, removal: yield* Effect.result(removeEverywhere(deps)) };
    }),
    {
      onUnavailable: (error) => {
        isLocked = false;
        return Effect.logWarning(
          `logging out without the lock of CODEX_HOME, so a program that is storing a credential now may store it again: ${error.message}`,
        );
      },
    },
  );
  const revoked = tokens === undefined ? "notNeeded" : yield* revoke(deps, tokens);
  const removed = yield* Effect.fromResult(removal);
  yield* forgetWorkspaces(deps);
  deps.state.accept(Option.none());
  // From now on, the variable that the credential in memory had overridden is used, as in a new process.
  if (overridingEnvVar(deps.options.environment, deps.options) !== undefined) deps.state.unload();
  return { removed, revoked, ...(!isLocked && { withoutLock: true }) };
});

const forgetWorkspaces = ({ options }: ManagerDeps) =>
  Effect.promise(async () => {
    const { removeAnswers } = await import("../workspace/cache-file.ts");
    await removeAnswers(codexHomeOf(options).path);
  });

/** External tokens and a credential in memory come before `CODEX_ACCESS_TOKEN`, so there is something to log out of. */
const refuseOverridden = Effect.fnUntraced(function* (
  deps: ManagerDeps,
): Effect.fn.Return<void, LoginError> {
  const variable = overridingEnvVar(deps.options.environment, deps.options);
  if (variable === undefined) return;
  const isBeaten =
    variable === "CODEX_ACCESS_TOKEN" && (deps.external.isSet() || (yield* isMemoryInUse(deps)));
  if (!isBeaten) return yield* new EnvironmentCredentialOverrides({ variable });
});

const revoke = Effect.fnUntraced(function* (deps: ManagerDeps, tokens: AuthTokens) {
  const { revokeSignIn } = yield* Effect.promise(() => import("./chatgpt.ts"));
  const isConfirmed = yield* revokeSignIn(deps.options, tokens);
  return isConfirmed ? "revoked" : "failed";
});

/** The stored tokens, unless another program owns them. */
const storedTokens = (deps: ManagerDeps): Effect.Effect<AuthTokens | undefined> =>
  deps.store.load.pipe(
    Effect.map((stored) => {
      const document = Option.getOrUndefined(stored)?.document;
      return document?.authMode === "chatgptAuthTokens" ? undefined : document?.tokens;
    }),
    Effect.catch((error) =>
      Effect.as(
        Effect.logWarning(
          `the stored credential cannot be read, so it is not revoked: ${error.message}`,
        ),
        undefined,
      ),
    ),
  );
