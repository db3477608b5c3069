import { AuthManager } from "@agent-auth/login/manager";
import type { Credential } from "@agent-auth/login/credential";
import { describeSource, NotSignedIn } from "@agent-auth/login/errors";
import { checkRestrictions } from "@agent-auth/login/config/restrictions";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { expiryOf, methodOf } from "../account/describe.ts";
import { explainCredentialError } from "../errors/credential-error.ts";
import { managerLayer, type Session } from "../session.ts";
import { timeText } from "../terminal/time.ts";
import { type Check, failed, ok, warn } from "./check.ts";

const SOON_MS = 5 * 60_000;

/**
 * The credential, loaded as the next request would load it, but without restrictions: a violated restriction would sign
 * out, and a diagnosis must change nothing.
 */
export const loadCredential = (session: Session) => {
  const { forcedLoginMethod: _, forcedWorkspaceIds: __, ...unrestricted } = session.config;
  return AuthManager.use((manager) => manager.current).pipe(
    Effect.provide(managerLayer({ ...session, config: unrestricted }, "requests")),
    Effect.map(Option.getOrUndefined),
    Effect.result,
  );
};

export type LoadedCredential = Effect.Success<ReturnType<typeof loadCredential>>;

/** The checks of the credential and of the restrictions on it. */
export const checkCredential = (
  session: Session,
  loaded: LoadedCredential,
): Effect.Effect<readonly Check[]> =>
  Result.isFailure(loaded)
    ? Effect.succeed([failed("credential", explainCredentialError(loaded.failure))])
    : judge(session, loaded.success);

const judge = Effect.fnUntraced(function* (session: Session, credential: Credential | undefined) {
  if (credential === undefined) return [failed("credential", new NotSignedIn())];
  return [validity(credential, Date.now()), yield* restrictions(session, credential)];
});

const validity = (credential: Credential, nowMs: number): Check => {
  const expiresAtMs = expiryOf(credential);
  const who = credential.account.email ?? credential.account.accountId;
  const words = [
    methodOf(credential),
    ...(who === undefined ? [] : [`of ${who}`]),
    `from ${describeSource(credential.source)}`,
  ];
  if (expiresAtMs === null) return ok("credential", words.join(" "));
  const detail = `${words.join(" ")}, expires ${timeText(expiresAtMs, nowMs)}`;
  return expiresAtMs - nowMs < SOON_MS
    ? warn("credential", detail, "Run: agent-auth login")
    : ok("credential", detail);
};

const restrictions = ({ config }: Session, credential: Credential): Effect.Effect<Check> => {
  const rules = [
    ...(config.forcedLoginMethod === undefined ? [] : [`method ${config.forcedLoginMethod}`]),
    ...(config.forcedWorkspaceIds === undefined
      ? []
      : [`workspace ${config.forcedWorkspaceIds.join(", ")}`]),
  ];
  return checkRestrictions(config, credential).pipe(
    Effect.map(() =>
      ok("restrictions", rules.length === 0 ? "none" : `${rules.join("; ")}: allowed`),
    ),
    Effect.catch((error) =>
      // The message of the error ends with "Logging out.", and nobody is logged out here.
      Effect.succeed({ ...failed("restrictions", error), detail: `${rules.join("; ")}: violated` }),
    ),
  );
};
