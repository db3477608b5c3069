import type { LoginError } from "@agent-auth/login/errors";
import { type AuthorizePrompt, signInWithBrowser } from "@agent-auth/login/oauth/browser";
import * as Effect from "effect/Effect";
import { timeLeft } from "../../terminal/time.ts";
import { browserOpener } from "./open-browser.ts";
import type { PersonSignIn } from "./person-sign-in.ts";
import { authorityOptions, signInAsPerson, type Stage } from "./sign-in-as-person.ts";

const OTHER_DEVICE = "agent-auth login --device-auth";

/** Signs in through the browser of this machine, or through whichever one the person takes the address to. */
export const signIn: PersonSignIn = (options) =>
  signInAsPerson(options, (stage) => {
    let expiresAtMs = 0;
    const opener = browserOpener(stage.terminal);
    const flow = signInWithBrowser<LoginError>({
      ...authorityOptions(stage),
      originator: stage.session.environment.originator ?? "codex_cli_rs",
      onAuthorizeUrl: (prompt) =>
        Effect.sync(() => {
          ({ expiresAtMs } = prompt);
          invite(stage, prompt, opener !== undefined);
        }),
      ...(opener !== undefined && { openBrowser: opener }),
      onBrowserFailed: () => Effect.sync(() => stage.tell(noBrowser)),
      onRejectedCallback: once(() => stage.tell(foreignCallback)),
      save: stage.save,
    });
    const waiting = (nowMs: number) =>
      `Waiting for the browser (${timeLeft(expiresAtMs, nowMs)} left)`;
    return stage.status.during(waiting, flow);
  });

const elsewhere = `No browser here? Stop, and run: ${OTHER_DEVICE}`;
const noBrowser = `No browser could be opened here. Open the address yourself, or stop and run: ${OTHER_DEVICE}`;
const foreignCallback =
  "A browser came back from a different sign-in and was refused (State mismatch). Still waiting.";

/** A page that keeps knocking is worth one line. */
const once = (act: () => void): (() => void) => {
  let isDone = false;
  return () => {
    if (!isDone) act();
    isDone = true;
  };
};

const invite = (stage: Stage, prompt: AuthorizePrompt, opens: boolean): void => {
  stage.tell(
    opens
      ? "Your browser opens to sign in. If it does not, open this address:"
      : "Open this address in a browser on this machine to sign in:",
  );
  stage.show(`\n${prompt.url}\n`);
  if (opens) return;
  if (!stage.terminal.isRemote) return stage.tell(elsewhere);
  const { port } = new URL(prompt.redirectUri);
  stage.tell(
    `You are on a remote machine: the browser comes back to port ${port} here. Forward it (ssh -L ${port}:127.0.0.1:${port} ...), or stop and run: ${OTHER_DEVICE}`,
  );
};
