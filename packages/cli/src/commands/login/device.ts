import { type DeviceCodePrompt, signInWithDeviceCode } from "@agent-auth/login/oauth/device";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { timeLeft } from "../../terminal/time.ts";
import {
  authorityOptions,
  type PersonSignIn,
  signInAsPerson,
  type SignInContext,
} from "./sign-in-as-person.ts";

/** Signs in with a code that the person enters in a page, on any device. */
export const signIn: PersonSignIn = (options) =>
  signInAsPerson(options, (context) => {
    let expiresAtMs: number | undefined;
    const flow = signInWithDeviceCode({
      ...authorityOptions(context),
      onCode: (prompt) =>
        Effect.map(Clock.currentTimeMillis, (nowMs) => {
          ({ expiresAtMs } = prompt);
          showCode(context, prompt, nowMs);
        }),
    });
    return context.status
      .during((nowMs) => {
        if (expiresAtMs === undefined) return "Requesting a code";
        return `Waiting for the code (${timeLeft(expiresAtMs, nowMs)} left)`;
      }, flow)
      .pipe(Effect.flatMap(context.save));
  });

const showCode = (
  { explain, show, terminal }: SignInContext,
  prompt: DeviceCodePrompt,
  nowMs: number,
): void => {
  const minutes = Math.round((prompt.expiresAtMs - nowMs) / 60_000);
  const code = terminal.hasColour ? `\u001b[1m${prompt.userCode}\u001b[0m` : prompt.userCode;
  explain("To sign in, open this page on any device:");
  show(`\n${prompt.verificationUrl}\n`);
  explain(`and enter this code, which is valid for ${minutes} minutes:`);
  show(`\n${code}\n`);
  explain("Enter it only if you started this sign-in yourself, and do not share it.");
};
