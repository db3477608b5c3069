import { AuthManager, type Inspection } from "@agent-auth/login/manager";
import { describeSource, GatewaySignInRequired, NotSignedIn } from "@agent-auth/login/errors";
import { allowedWorkspaceIds, checkLoginMethod } from "@agent-auth/login/config/restrictions";
import { resolveProvider } from "@agent-auth/model-provider/provider";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { methodOf } from "../account/describe.ts";
import { type GatewaySignIn, inspectGateways } from "../account/gateway.ts";
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
  const other = credentialOfProvider(session);
  if (Result.isFailure(inspected)) {
    const error = explainCredentialError(inspected.failure);
    return [failed("credential", error, other === undefined ? "fail" : "warn")];
  }
  if (inspected.success === undefined) {
    return [
      other === undefined ? failed("credential", new NotSignedIn()) : ok("credential", other),
    ];
  }
  return [
    expiryCheck(inspected.success, Date.now()),
    restrictionsCheck(session, inspected.success),
  ];
};

/** What requests use instead of a sign-in; `undefined` if they use the sign-in. */
export const credentialOfProvider = ({ config, environment }: Session): string | undefined => {
  const resolved = resolveProvider({ config, environment });
  if (Result.isFailure(resolved)) return undefined;
  const { auth, id } = resolved.success;
  const gateway = config.modelProviders.get(id)?.gatewayOauth?._tag ?? "None";
  switch (auth._tag) {
    case "SignedIn":
      return undefined;
    case "EnvKey":
      return `not signed in, and not needed: model provider ${id} uses ${auth.variable}`;
    case "BearerToken":
      return `not signed in, and not needed: model provider ${id} has its own token`;
    case "Command":
      return `not signed in, and not needed: model provider ${id} has a token command`;
    case "None":
      return `not signed in, and not needed: model provider ${id} ${gatewayUse[gateway]}`;
  }
};

const gatewayUse = {
  None: "uses no sign-in",
  Session: "uses its gateway's sign-in",
  Command: "has a token command",
} as const;

/** A line for each configured gateway. */
export const checkGateways = (session: Session) =>
  Effect.map(inspectGateways(session), (gateways) =>
    gateways.map((gateway) => gatewayCheck(gateway, session.config.modelProvider)),
  );

const gatewayCheck = (
  { error, isSignedIn, providerId }: GatewaySignIn,
  modelProvider: string | undefined,
): Check => {
  const status = providerId === modelProvider ? "fail" : "warn";
  if (error !== undefined) return failed("gateway", error, status);
  return isSignedIn
    ? ok("gateway", `signed in to the gateway of model provider ${providerId}`)
    : failed("gateway", new GatewaySignInRequired({ providerId }), status);
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
