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
import { type GatewaySignIn, inspectGateways } from "../../account/gateway.ts";
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
  const gateways = yield* inspectGateways(session);
  const nowMs = yield* Clock.currentTimeMillis;
  const shown = gateways.length > 0 && { gateways: gateways.map(gatewayJson) };
  const showLines = (lines: ReadonlyArray<string>) => {
    for (const line of lines) writeLine(line);
    for (const gateway of gateways) writeLine(gatewayLine(gateway, nowMs));
  };
  if (Option.isNone(inspected)) {
    if (options.json) writeJson({ loggedIn: false, ...shown });
    else showLines(["Not logged in"]);
    return isGatewayEnough(session, gateways) ? exitCode.done : exitCode.failed;
  }
  const { credential, forbidden } = inspected.value;
  if (forbidden !== undefined) return yield* Effect.fail(withoutLogout(forbidden));
  if (options.json) writeJson({ ...statusJson(credential), ...shown });
  else showLines(credentialLines(credential, nowMs));
  return exitCode.done;
});

/** Without a credential, the sign-in to the gateway of the provider in use is enough. */
const isGatewayEnough = ({ config }: Session, gateways: ReadonlyArray<GatewaySignIn>): boolean => {
  const { modelProvider = "", modelProviders } = config;
  return (
    modelProviders.get(modelProvider)?.requiresOpenaiAuth === false &&
    gateways.some(({ isSignedIn, providerId }) => isSignedIn && providerId === modelProvider)
  );
};

const gatewayLine = (gateway: GatewaySignIn, nowMs: number): string => {
  const { canRefresh, error, expiresAtMs, isSignedIn, providerId } = gateway;
  if (error !== undefined) return `Gateway of ${providerId}: ${error.message}. ${error.hint}`;
  if (!isSignedIn)
    return `Gateway of ${providerId}: not signed in. Run: agent-auth login --provider ${providerId}`;
  if (canRefresh || expiresAtMs === undefined) return `Gateway of ${providerId}: signed in`;
  return `Gateway of ${providerId}: signed in, expires ${timeText(expiresAtMs, nowMs)}`;
};

const gatewayJson = ({
  canRefresh,
  error,
  expiresAtMs,
  isSignedIn,
  providerId,
}: GatewaySignIn) => ({
  provider: providerId,
  signedIn: isSignedIn,
  canRefresh,
  expiresAt: isoSeconds(expiresAtMs ?? null),
  ...(error !== undefined && { error: errorToJson(error) }),
});

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
