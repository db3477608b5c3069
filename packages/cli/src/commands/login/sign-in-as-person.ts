import type { HttpTransport } from "@agent-auth/agent-identity/http-transport";
import { AuthManager, type ChatgptTokens } from "@agent-auth/login/auth-manager";
import type { Credential } from "@agent-auth/login/credential";
import type { LoginError } from "@agent-auth/login/errors";
import { layer as httpClient } from "@agent-auth/login/http-client";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { credentialLines } from "../../account/describe.ts";
import { exitCode, type ExitCode } from "../../exit-code.ts";
import { type Reportable, reportError } from "../../report-error.ts";
import { managerLayer, openSession, type Session } from "../../session.ts";
import { makeStatusLine, type StatusLine } from "../../terminal/status-line.ts";
import { readSurroundings, type Surroundings } from "../../terminal/surroundings.ts";
import { wrapText } from "../../terminal/wrap.ts";
import { writeLine } from "../../terminal/write.ts";
import type { PersonSignInOptions } from "./person-sign-in.ts";
import { checkBeforeSignIn } from "./preconditions.ts";

/** Everything that a way of signing in needs of the place where it happens. */
export interface Stage {
  readonly options: PersonSignInOptions;
  readonly session: Session;
  readonly surroundings: Surroundings;
  readonly status: StatusLine;
  /** Prose, broken to the width of the terminal. `--quiet` silences it. */
  readonly tell: (text: string) => void;
  /** What the person cannot go on without, as it is, `--quiet` or not. */
  readonly show: (line: string) => void;
  /** Keeps the tokens of a finished sign-in; revokes those that they replace. */
  readonly save: (tokens: ChatgptTokens) => Effect.Effect<Credential, LoginError>;
}

/** Whom to sign in with, for either way: what the command line, the configuration and the environment say. */
export const authorityOptions = ({ options, session }: Stage) => ({
  ...(options.issuer !== undefined && { issuer: options.issuer }),
  ...(options.clientId !== undefined && { clientId: options.clientId }),
  allowedWorkspaceIds: session.config.forcedWorkspaceIds ?? [],
});

/**
 * Runs a way for a person to sign in: refuses first what can be refused, says how it ended, and leaves what was stored
 * alone unless it ended well. Ctrl-C ends it, too.
 */
export const signInAsPerson = (
  options: PersonSignInOptions,
  way: (stage: Stage) => Effect.Effect<Credential, LoginError, HttpTransport>,
): Effect.Effect<ExitCode> =>
  Effect.gen(function* () {
    const session = yield* openSession(options.globals);
    yield* checkBeforeSignIn("chatgpt", session);
    const credential = yield* onStage(options, session, way);
    const nowMs = yield* Clock.currentTimeMillis;
    const [, ...facts] = credentialLines(credential, nowMs);
    for (const line of ["Successfully logged in", ...facts]) session.say(line);
    return exitCode.done;
  }).pipe(
    Effect.onInterrupt(() => Effect.sync(() => writeLine("Sign-in cancelled."))),
    Effect.catch((error) =>
      Effect.sync(() => reportError("Error logging in", withExitCode(error))),
    ),
  );

const onStage = (
  options: PersonSignInOptions,
  session: Session,
  way: (stage: Stage) => Effect.Effect<Credential, LoginError, HttpTransport>,
): Effect.Effect<Credential, LoginError> =>
  Effect.gen(function* () {
    const manager = yield* AuthManager;
    const surroundings = readSurroundings(process.env, process.stderr, process.platform);
    const { quiet } = options.globals;
    const status = makeStatusLine(quiet ? { ...surroundings, isTerminal: false } : surroundings);
    return yield* way({
      options,
      session,
      surroundings,
      status,
      tell: (text) => {
        if (quiet) return;
        for (const line of wrapText(text, surroundings.columns())) status.say(line);
      },
      show: status.say,
      save: (tokens) => manager.loginWithChatgptTokens(tokens),
    });
  }).pipe(
    Effect.provide(managerLayer(session, "signInOrOut")),
    Effect.provide(httpClient(session.environment)),
  );

/** Another sign-in on this machine asked this one to stop: neither a success nor a failure. */
const withExitCode = (error: Reportable): Reportable =>
  error.code === "LOGIN_SIGN_IN_CANCELLED"
    ? { code: error.code, message: error.message, exitCode: exitCode.usageOrCancelled }
    : error;
