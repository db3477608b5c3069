import type { LoginError } from "@agent-auth/login/errors";
import { type AuthorizePrompt, signInWithBrowser } from "@agent-auth/login/oauth/browser";
import * as Effect from "effect/Effect";
import { timeLeft } from "../../terminal/time.ts";
import { browserOpener } from "./open-browser.ts";
import {
  authorityOptions,
  type PersonSignIn,
  signInAsPerson,
  type SignInContext,
} from "./sign-in-as-person.ts";

/** Signs in with a browser on this machine, which it opens if it can. */
export const signIn: PersonSignIn = (options) =>
  signInAsPerson(options, (context) => {
    const { explain, save, session, status, terminal } = context;
    let expiresAtMs = 0;
    let hasReportedCallback = false;
    const openBrowser = browserOpener(terminal);
    const flow = signInWithBrowser<LoginError>({
      ...authorityOptions(context),
      originator: session.environment.originator ?? "codex_cli_rs",
      onAuthorizeUrl: (prompt) =>
        Effect.sync(() => {
          ({ expiresAtMs } = prompt);
          showAddress(context, prompt, openBrowser !== undefined);
        }),
      ...(openBrowser !== undefined && { openBrowser }),
      onBrowserFailed: () => Effect.sync(() => explain(noBrowser)),
      onRejectedCallback: () => {
        if (!hasReportedCallback) explain(otherCallback);
        hasReportedCallback = true;
      },
      save,
    });
    const waiting = (nowMs: number) =>
      `Waiting for the browser (${timeLeft(expiresAtMs, nowMs)} left)`;
    return status.during(waiting, flow);
  });

const deviceLogin = "agent-auth login --device-auth";
const noBrowser = `No browser could be opened. Open the address yourself, or stop and run: ${deviceLogin}`;
const otherCallback =
  "A browser came back from a different sign-in and was rejected (State mismatch). Still waiting.";

const showAddress = (
  { explain, show, terminal }: SignInContext,
  prompt: AuthorizePrompt,
  opensBrowser: boolean,
): void => {
  explain(
    opensBrowser
      ? "Your browser opens to sign in. If it does not, open this address:"
      : "Open this address in a browser on this machine to sign in:",
  );
  show(`\n${prompt.url}\n`);
  if (opensBrowser) return;
  if (!terminal.isRemote) return explain(`No browser here? Stop, and run: ${deviceLogin}`);
  const { port } = new URL(prompt.redirectUri);
  explain(
    `You are on a remote machine: after the sign-in, the browser is redirected to port ${port} of this machine. Forward it (ssh -L ${port}:127.0.0.1:${port} ...), or stop and run: ${deviceLogin}`,
  );
};
