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
import { managerLayer, openSession } from "../../session.ts";
import { mask } from "../../terminal/safe-text.ts";
import { isoSeconds } from "../../terminal/time.ts";
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
    return exitCode.failed;
  }
  const { credential, forbidden } = inspected.value;
  if (forbidden !== undefined) return yield* Effect.fail(withoutLogout(forbidden));
  const nowMs = yield* Clock.currentTimeMillis;
  if (options.json) writeJson(statusJson(credential));
  else for (const line of credentialLines(credential, nowMs)) writeLine(line);
  return exitCode.done;
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
