import { type DeviceCodePrompt, signInWithDeviceCode } from "@agent-auth/login/oauth/device";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { timeLeft } from "../../terminal/time.ts";
import type { PersonSignIn } from "./person-sign-in.ts";
import { authorityOptions, signInAsPerson, type Stage } from "./sign-in-as-person.ts";

/** Signs in with a code that the person types into a page, on any device. */
export const signIn: PersonSignIn = (options) =>
  signInAsPerson(options, (stage) => {
    let expiresAtMs: number | undefined;
    const flow = signInWithDeviceCode({
      ...authorityOptions(stage),
      onCode: (prompt) =>
        Effect.map(Clock.currentTimeMillis, (nowMs) => {
          ({ expiresAtMs } = prompt);
          invite(stage, prompt, nowMs);
        }),
    });
    return stage.status
      .during((nowMs) => {
        if (expiresAtMs === undefined) return "Asking for a code";
        return `Waiting for the code (${timeLeft(expiresAtMs, nowMs)} left)`;
      }, flow)
      .pipe(Effect.flatMap(stage.save));
  });

const invite = (stage: Stage, prompt: DeviceCodePrompt, nowMs: number): void => {
  const minutes = Math.round((prompt.expiresAtMs - nowMs) / 60_000);
  const code = stage.terminal.hasColour ? `\u001b[1m${prompt.userCode}\u001b[0m` : prompt.userCode;
  stage.tell("To sign in, open this page on any device:");
  stage.show(`\n${prompt.verificationUrl}\n`);
  stage.tell(`and enter this code, which is good for ${minutes} minutes:`);
  stage.show(`\n${code}\n`);
  stage.tell("Enter it only if you started this sign-in yourself, and give it to nobody.");
};
