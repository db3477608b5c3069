import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { AuthManager, type ChatgptTokens } from "@agent-auth/login/manager";
import type { Account } from "@agent-auth/login/credential";
import type { LoginError } from "@agent-auth/login/errors";
import { layer as httpClient } from "@agent-auth/login/http";
import * as Clock from "effect/Clock";
import { allowedWorkspaceIds } from "@agent-auth/login/config/restrictions";
import * as Effect from "effect/Effect";
import { credentialLines } from "../../account/describe.ts";
import type { GlobalValues } from "../../argv/command-spec.ts";
import { exitCode, type ExitCode } from "../../errors/exit-code.ts";
import { managerLayer, openSession, type Session } from "../../session.ts";
import { wrapText } from "../../terminal/layout.ts";
import { printable } from "../../terminal/safe-text.ts";
import { makeStatusLine, type StatusLine } from "../../terminal/status-line.ts";
import {
  readTerminalEnvironment,
  type TerminalEnvironment,
} from "../../terminal/terminal-environment.ts";
import { checkBeforeSignIn } from "./preconditions.ts";
import { reportFailedSignIn } from "./report-failed-sign-in.ts";

/** The options of `login` for a sign-in by a person. */
export interface PersonSignInOptions {
  readonly globals: GlobalValues;
  /** Default `https://auth.openai.com`. */
  readonly issuer?: string;
  readonly clientId?: string;
}

/** Signs a person in. `browser.ts` and `device.ts` export one each as `signIn`. Prints everything, errors included. */
export type PersonSignIn = (options: PersonSignInOptions) => Effect.Effect<ExitCode>;

/** What a sign-in needs from the command that runs it. */
export interface SignInContext {
  readonly options: PersonSignInOptions;
  readonly session: Session;
  readonly terminal: TerminalEnvironment;
  readonly status: StatusLine;
  /** Prints text, wrapped to the width of the terminal; nothing with `--quiet`. */
  readonly explain: (text: string) => void;
  /** Prints a line that the person needs to sign in, unwrapped, also with `--quiet`. */
  readonly show: (line: string) => void;
  /** Stores the tokens, revokes those that they replace, and prints which account is signed in now. */
  readonly save: (tokens: ChatgptTokens) => Effect.Effect<void, LoginError>;
}

/** Returns the authority and the allowed workspaces, from the command line and the configuration. */
export const authorityOptions = ({ options, session }: SignInContext) => ({
  ...(options.issuer !== undefined && { issuer: options.issuer }),
  ...(options.clientId !== undefined && { clientId: options.clientId }),
  allowedWorkspaceIds: allowedWorkspaceIds(session.config) ?? [],
});

/**
 * Runs a sign-in by a person and prints how it ended. Foreseeable failures come before it starts, such as a store
 * that cannot be written. The stored credential changes only if the sign-in succeeds. Ctrl-C ends it.
 */
export const signInAsPerson = (
  options: PersonSignInOptions,
  signIn: (context: SignInContext) => Effect.Effect<unknown, LoginError, HttpTransport>,
): Effect.Effect<ExitCode> =>
  Effect.gen(function* () {
    const session = yield* openSession(options.globals);
    yield* checkBeforeSignIn("chatgpt", session);
    yield* runSignIn(options, session, signIn);
    return exitCode.done;
  }).pipe(
    Effect.catch((error) => Effect.sync(() => reportFailedSignIn("Error logging in", error))),
  );

const runSignIn = Effect.fnUntraced(
  function* (
    options: PersonSignInOptions,
    session: Session,
    signIn: (context: SignInContext) => Effect.Effect<unknown, LoginError, HttpTransport>,
  ) {
    const manager = yield* AuthManager;
    yield* manager.checkLogin("chatgpt");
    const terminal = readTerminalEnvironment(process.env, process.stderr, process.platform);
    const { quiet } = options.globals;
    const status = makeStatusLine(quiet ? { ...terminal, isTerminal: false } : terminal);
    const explain = (text: string) => {
      if (quiet) return;
      for (const line of wrapText(text, terminal.columns())) status.print(line);
    };
    let isSaved = false;
    const save = Effect.fnUntraced(function* (tokens: ChatgptTokens) {
      const { credential, replaced } = yield* manager.loginWithChatgptTokens(tokens);
      isSaved = true;
      const [, ...facts] = credentialLines(credential, yield* Clock.currentTimeMillis);
      if (!quiet) ["Successfully logged in", ...facts].forEach(status.print);
      // Also with --quiet: the person may not have meant to change accounts.
      if (replaced?.isSameAccount === false) status.print(otherAccountWarning(replaced.account));
    });
    const context = { options, session, terminal, status, explain, show: status.print, save };
    yield* signIn(context).pipe(
      Effect.onInterrupt(() => Effect.sync(() => isSaved || status.print("Sign-in cancelled."))),
    );
  },
  (effect, _options, session) =>
    effect.pipe(
      Effect.provide(managerLayer(session, "signInOrOut")),
      Effect.provide(httpClient(session.environment)),
    ),
);

const otherAccountWarning = ({ accountId, email, userId }: Account): string => {
  const person = email ?? userId ?? "an account without a name";
  const workspace = accountId === undefined ? "" : ` in workspace ${accountId}`;
  return printable(
    `Warning: this is not the account that was signed in before: ${person}${workspace}. If you did not choose it, run: agent-auth logout`,
  );
};
