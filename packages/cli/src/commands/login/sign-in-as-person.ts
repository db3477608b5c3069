import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { AuthManager, type ChatgptTokens } from "@agent-auth/login/manager";
import type { LoginError } from "@agent-auth/login/errors";
import { layer as httpClient } from "@agent-auth/login/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { credentialLines } from "../../account/describe.ts";
import { exitCode, type ExitCode } from "../../errors/exit-code.ts";
import { managerLayer, openSession, type Session } from "../../session.ts";
import { makeStatusLine, type StatusLine } from "../../terminal/status-line.ts";
import {
  readTerminalEnvironment,
  type TerminalEnvironment,
} from "../../terminal/terminal-environment.ts";
import { wrapText } from "../../terminal/layout.ts";
import { reportFailedSignIn } from "./report-failed-sign-in.ts";
import type { PersonSignInOptions } from "./person-sign-in.ts";
import { checkBeforeSignIn } from "./preconditions.ts";

/** Everything that a way of signing in needs of the place where it happens. */
export interface Stage {
  readonly options: PersonSignInOptions;
  readonly session: Session;
  readonly terminal: TerminalEnvironment;
  readonly status: StatusLine;
  /** Prose, broken to the width of the terminal. `--quiet` silences it. */
  readonly tell: (text: string) => void;
  /** What the person cannot go on without, as it is, `--quiet` or not. */
  readonly show: (line: string) => void;
  /** Keeps the tokens of a finished sign-in, revokes those that they replace, and says who is signed in now. */
  readonly save: (tokens: ChatgptTokens) => Effect.Effect<void, LoginError>;
}

/** Whom to sign in with, for either way: what the command line, the configuration and the environment say. */
export const authorityOptions = ({ options, session }: Stage) => ({
  ...(options.issuer !== undefined && { issuer: options.issuer }),
  ...(options.clientId !== undefined && { clientId: options.clientId }),
  allowedWorkspaceIds: session.config.forcedWorkspaceIds ?? [],
});

/**
 * Runs a way for a person to sign in: refuses first what can be refused, such as a store that cannot be written; says
 * how it ended, and leaves what was stored alone unless it ended well. Ctrl-C ends it, too.
 */
export const signInAsPerson = (
  options: PersonSignInOptions,
  way: (stage: Stage) => Effect.Effect<unknown, LoginError, HttpTransport>,
): Effect.Effect<ExitCode> =>
  Effect.gen(function* () {
    const session = yield* openSession(options.globals);
    yield* checkBeforeSignIn("chatgpt", session);
    yield* onStage(options, session, way);
    return exitCode.done;
  }).pipe(
    Effect.catch((error) => Effect.sync(() => reportFailedSignIn("Error logging in", error))),
  );

const onStage = Effect.fnUntraced(
  function* (
    options: PersonSignInOptions,
    session: Session,
    way: (stage: Stage) => Effect.Effect<unknown, LoginError, HttpTransport>,
  ) {
    const manager = yield* AuthManager;
    yield* manager.checkLogin("chatgpt");
    const terminal = readTerminalEnvironment(process.env, process.stderr, process.platform);
    const { quiet } = options.globals;
    const status = makeStatusLine(quiet ? { ...terminal, isTerminal: false } : terminal);
    const tell = (text: string) => {
      if (quiet) return;
      for (const line of wrapText(text, terminal.columns())) status.print(line);
    };
    let isSaved = false;
    const save = Effect.fnUntraced(function* (tokens: ChatgptTokens) {
      const credential = yield* manager.loginWithChatgptTokens(tokens);
      isSaved = true;
      const [, ...facts] = credentialLines(credential, yield* Clock.currentTimeMillis);
      if (!quiet) ["Successfully logged in", ...facts].forEach(status.print);
    });
    const stage = { options, session, terminal, status, tell, show: status.print, save };
    yield* way(stage).pipe(
      Effect.onInterrupt(() => Effect.sync(() => isSaved || status.print("Sign-in cancelled."))),
    );
  },
  (effect, _options, session) =>
    effect.pipe(
      Effect.provide(managerLayer(session, "signInOrOut")),
      Effect.provide(httpClient(session.environment)),
    ),
);
