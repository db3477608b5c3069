import type * as Effect from "effect/Effect";
import type { GlobalValues } from "../../argv/command-spec.ts";
import type { ExitCode } from "../../errors/exit-code.ts";

/** What `login` was told for a sign-in by a person. */
export interface PersonSignInOptions {
  readonly globals: GlobalValues;
  /** Default `https://auth.openai.com`. */
  readonly issuer?: string;
  readonly clientId?: string;
}

/**
 * A way for a person to sign in. `browser.ts` and `device.ts` export one each as `signIn`. It tells people everything
 * itself, failures included.
 */
export type PersonSignIn = (options: PersonSignInOptions) => Effect.Effect<ExitCode>;
