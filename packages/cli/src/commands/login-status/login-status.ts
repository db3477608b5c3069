import { checkModelProvider } from "@agent-auth/login/config";
import { AuthManager } from "@agent-auth/login/manager";
import type { CredentialFacts } from "@agent-auth/login/credential";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import {
  accountJson,
  credentialLines,
  expiryOf,
  methodOf,
  sourceJson,
} from "../../account/describe.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { explainCredentialError, withoutLogout } from "../../errors/credential-error.ts";
import { errorToJson, type Reportable, reportError } from "../../errors/report.ts";
import { exitCode } from "../../errors/exit-code.ts";
import { managerLayer, openSession, type Session } from "../../session.ts";
import { mask } from "../../terminal/safe-text.ts";
import { isoSeconds, timeText } from "../../terminal/time.ts";
import { writeJson, writeLine } from "../../terminal/write.ts";
import { spec } from "./spec.ts";

export interface LoginStatusOptions {
  readonly json: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, LoginStatusOptions> = {
  spec,
  options: ({ flags, globals }) => ({ json: flags.json, globals }),
};

/** Prints what the next request will use, without changing anything. Exit code 1 if it has no usable credential. */
export const run = (options: LoginStatusOptions) =>
  status(options).pipe(
    Effect.mapError(explainCredentialError),
    Effect.catch((error) => Effect.sync(() => fail(options, error))),
  );

const status = Effect.fnUntraced(function* (options: LoginStatusOptions) {
  const session = yield* openSession(options.globals);
  yield* checkModelProvider(session.config);
  const inspected = yield* AuthManager.use((manager) => manager.inspect).pipe(
    Effect.provide(managerLayer(session, "inspection")),
  );
  if (Option.isNone(inspected)) {
    if (options.json) writeJson({ loggedIn: false });
    else writeLine("Not logged in");
    return options.json ? exitCode.failed : yield* orGateway(session);
  }
  const { credential, forbidden } = inspected.value;
  if (forbidden !== undefined) return yield* Effect.fail(withoutLogout(forbidden));
  const nowMs = yield* Clock.currentTimeMillis;
  if (options.json) writeJson(statusJson(credential));
  else for (const line of credentialLines(credential, nowMs)) writeLine(line);
  if (!options.json) yield* showGateways(session);
  return exitCode.done;
});

/** Without a credential, the sign-in to the gateway of the provider in use is enough. */
const orGateway = Effect.fnUntraced(function* (session: Session) {
  const { modelProvider = "", modelProviders } = session.config;
  const signedIn = yield* showGateways(session);
  const isEnough = modelProviders.get(modelProvider)?.requiresOpenaiAuth === false;
  return isEnough && signedIn.includes(modelProvider) ? exitCode.done : exitCode.failed;
});

/** Prints a line for each gateway that is configured; returns the providers with a sign-in. */
const showGateways = Effect.fnUntraced(function* ({ config, environment }: Session) {
  const signedIn: Array<string> = [];
  for (const [providerId, { gatewayOauth }] of config.modelProviders) {
    if (gatewayOauth?._tag !== "Session") continue;
    const it = yield* Effect.promise(() => import("@agent-auth/login/gateway-oauth"));
    const { codexHome } = environment;
    const found = yield* it.inspectGatewaySignIn({ providerId, config: gatewayOauth, codexHome });
    if (Option.isSome(found)) signedIn.push(providerId);
    const nowMs = yield* Clock.currentTimeMillis;
    writeLine(gatewayLine(providerId, Option.getOrUndefined(found), nowMs));
  }
  return signedIn;
});

const gatewayLine = (
  providerId: string,
  found: { readonly expiresAtMs?: number; readonly canRefresh: boolean } | undefined,
  nowMs: number,
): string => {
  if (found === undefined)
    return `Gateway of ${providerId}: not signed in. Run: agent-auth login --provider ${providerId}`;
  const { canRefresh, expiresAtMs } = found;
  if (canRefresh || expiresAtMs === undefined) return `Gateway of ${providerId}: signed in`;
  return `Gateway of ${providerId}: signed in, expires ${timeText(expiresAtMs, nowMs)}`;
};

const statusJson = (credential: CredentialFacts) => ({
  loggedIn: true,
  method: methodOf(credential),
  account: accountJson(credential),
  source: sourceJson(credential.source),
  expiresAt: isoSeconds(expiryOf(credential)),
  ...(credential._tag === "ApiKey" && { apiKey: mask(Redacted.value(credential.apiKey)) }),
});

const fail = (options: LoginStatusOptions, error: Reportable) => {
  if (options.json) writeJson({ loggedIn: false, error: errorToJson(error) });
  reportError("Error checking login status", error);
  return exitCode.failed;
};
