import { AuthManager, type Inspection } from "@agent-auth/login/manager";
import { describeSource, NotSignedIn } from "@agent-auth/login/errors";
import { allowedWorkspaceIds, checkLoginMethod } from "@agent-auth/login/config/restrictions";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { methodOf } from "../account/describe.ts";
import { explainCredentialError, withoutLogout } from "../errors/credential-error.ts";
import { managerLayer, type Session } from "../session.ts";
import { timeText } from "../terminal/time.ts";
import { type Check, failed, ok, warn } from "./check.ts";

const SOON_MS = 5 * 60_000;

/** What the next request would use. Changes nothing. */
export const inspectCredential = (session: Session) =>
  AuthManager.use((manager) => manager.inspect).pipe(
    Effect.provide(managerLayer(session, "inspection")),
    Effect.map(Option.getOrUndefined),
    Effect.result,
  );

export type InspectedCredential = Effect.Success<ReturnType<typeof inspectCredential>>;

/** The checks of the credential and of the restrictions on it. */
export const checkCredential = (
  session: Session,
  inspected: InspectedCredential,
): readonly Check[] => {
  if (Result.isFailure(inspected)) {
    return [failed("credential", explainCredentialError(inspected.failure))];
  }
  if (inspected.success === undefined) return [failed("credential", new NotSignedIn())];
  return [
    expiryCheck(inspected.success, Date.now()),
    restrictionsCheck(session, inspected.success),
  ];
};

const expiryCheck = ({ credential, ...facts }: Inspection, nowMs: number): Check => {
  const who = credential.account.email ?? credential.account.accountId;
  const words = [
    methodOf(credential),
    ...(who === undefined ? [] : [`of ${who}`]),
    `from ${describeSource(credential.source)}`,
  ];
  if (facts.expiresAtMs === undefined) return ok("credential", words.join(" "));
  const detail = `${words.join(" ")}, expires ${timeText(facts.expiresAtMs, nowMs)}`;
  if (credential._tag === "Chatgpt") {
    return ok("credential", facts.isDue ? `${detail}; the next request refreshes it` : detail);
  }
  return facts.expiresAtMs - nowMs < SOON_MS
    ? warn("credential", detail, "Run: agent-auth login")
    : ok("credential", detail);
};

const restrictionsCheck = ({ config }: Session, { forbidden }: Inspection): Check => {
  if (forbidden !== undefined) return failed("restrictions", withoutLogout(forbidden));
  const workspaces = allowedWorkspaceIds(config);
  const methods = allowedMethods(config);
  const rules = [
    ...(methods.length > 1 ? [] : [`method ${methods.join()}`]),
    ...(workspaces === undefined ? [] : [`workspace ${workspaces.join(", ")}`]),
  ];
  return ok("restrictions", rules.length === 0 ? "none" : `${rules.join("; ")}: allowed`);
};

const allowedMethods = (config: Session["config"]): readonly string[] => [
  ...(isAllowed(config, "chatgpt") ? ["chatgpt"] : []),
  ...(isAllowed(config, "apiKey") ? ["api"] : []),
];

const isAllowed = (config: Session["config"], method: "chatgpt" | "apiKey") =>
  Result.isSuccess(Effect.runSync(Effect.result(checkLoginMethod(config, method))));
