import { overridingEnvVar } from "@agent-auth/login/config/environment";
import type { Credential } from "@agent-auth/login/credential";
import {
  EnvironmentCredentialOverrides,
  type LoginError,
  NotSignedIn,
  PersistentStoreRequired,
} from "@agent-auth/login/errors";
import { AuthManager } from "@agent-auth/login/manager";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import * as Schedule from "effect/Schedule";
import * as Semaphore from "effect/Semaphore";
import * as Stream from "effect/Stream";
import { expiryOf, methodOf } from "../../account/describe.ts";
import type { Command, GlobalValues } from "../../argv/command-spec.ts";
import { CliError } from "../../errors/cli-error.ts";
import { errorLine, reportError } from "../../errors/report.ts";
import { managerLayer, openSession, type Session } from "../../session.ts";
import { printable } from "../../terminal/safe-text.ts";
import { timeText } from "../../terminal/time.ts";
import { spec } from "./spec.ts";

export interface KeepOptions {
  /** Whether to wait for a sign-in instead of ending. */
  readonly wait: boolean;
  readonly globals: GlobalValues;
}

export const command: Command<typeof spec.flags, KeepOptions> = {
  spec,
  options: ({ flags, globals }) => ({ wait: flags.wait, globals }),
};

const PREFIX = "Error keeping the sign-in fresh";

/** Keeps the stored sign-in fresh until a signal ends it. The manager refreshes; this reports what it does. */
export const run = (options: KeepOptions) =>
  keep(options).pipe(Effect.catch((error) => Effect.sync(() => reportError(PREFIX, error))));

const keep = Effect.fnUntraced(function* (options: KeepOptions) {
  const session = yield* openSession(options.globals);
  const variable = overridingEnvVar(session.environment, {
    environmentCredentials: true,
    config: session.config,
  });
  if (variable !== undefined) return yield* new EnvironmentCredentialOverrides({ variable });
  if (session.storage === undefined && session.config.credentialsStore === "ephemeral")
    return yield* new PersistentStoreRequired();
  return yield* watch(session, options.wait).pipe(Effect.provide(managerLayer(session, "keep")));
});

/** How often the state is checked in addition to its changes: an expiry is not reported as a change. */
const CHECK_EVERY_MS = 15_000;

const watch = Effect.fnUntraced(function* (session: Session, wait: boolean) {
  const manager = yield* AuthManager;
  const report = makeReport(session, wait);
  const turns = Semaphore.makeUnsafe(1);
  const look = turns.withPermit(Effect.flatMap(Effect.result(manager.current), report));
  return yield* Effect.raceFirst(
    Stream.runForEach(manager.changes, () => look).pipe(Effect.andThen(Effect.never)),
    Effect.andThen(Effect.repeat(look, Schedule.spaced(CHECK_EVERY_MS)), Effect.never),
  );
});

type Loaded = Result.Result<Option.Option<Credential>, LoginError>;

/** Prints what has changed since the last call, and fails if there is nothing left to do. */
const makeReport = ({ notify }: Session, wait: boolean) => {
  let last: string | undefined;
  let lastAccount: string | undefined;
  const say = (line: string) =>
    Effect.sync(() => {
      if (line !== last) notify(line);
      last = line;
    });
  const end = <E extends LoginError | CliError>(error: E, line: string) =>
    wait ? say(line) : Effect.fail(error);

  return Effect.fnUntraced(function* (loaded: Loaded) {
    if (Result.isFailure(loaded)) {
      // Any other failure may be temporary; the manager logs a warning and tries again.
      if (loaded.failure.remedy !== "signIn") return;
      return yield* end(loaded.failure, errorLine(PREFIX, loaded.failure));
    }
    const credential = Option.getOrUndefined(loaded.success);
    if (credential === undefined) {
      lastAccount = undefined;
      return yield* end(new NotSignedIn(), "Not signed in. Waiting for: agent-auth login");
    }
    if (credential._tag !== "Chatgpt") {
      const error = notRefreshable(credential);
      return yield* end(error, `${error.message}. Waiting for: agent-auth login`);
    }
    const account = printable(
      credential.account.email ?? credential.account.accountId ?? "ChatGPT",
    );
    const verb = lastAccount === account ? "Refreshed" : "Keeping fresh";
    lastAccount = account;
    const expiresAtMs = expiryOf(credential);
    const nowMs = yield* Clock.currentTimeMillis;
    const until = expiresAtMs === null ? "" : `, expires ${timeText(expiresAtMs, nowMs)}`;
    const key = `${account} ${expiresAtMs} ${credential.lastRefreshMs}`;
    if (key !== last) notify(`${verb}: ${account}${until}`);
    last = key;
  });
};

const notRefreshable = (credential: Credential) =>
  new CliError({
    code: "CLI_NOTHING_TO_REFRESH",
    message: `the stored credential (${methodOf(credential)}) is never refreshed`,
    hint: "Only a ChatGPT sign-in has to be kept fresh. Run: agent-auth login",
  });
