import { AuthManager } from "@agent-auth/login/manager";
import {
  type AuthorizePrompt,
  type BrowserSignInOptions,
  signInWithBrowser,
} from "@agent-auth/login/oauth/browser";
import * as Effect from "effect/Effect";

const show = ({ url }: AuthorizePrompt) => Effect.sync(() => console.error(`Open ${url}`));

/** Signs a person in and returns one line about the result. */
export const signIn = (options: Partial<BrowserSignInOptions> = {}) =>
  Effect.gen(function* () {
    const manager = yield* AuthManager;
    yield* manager.checkLogin("chatgpt"); // fails now if the tokens could not be saved
    const save = manager.loginWithChatgptTokens;
    const { accountId } = yield* signInWithBrowser({ onAuthorizeUrl: show, ...options, save });
    return `signed in to ${accountId ?? "no workspace"}`;
  }).pipe(
    Effect.catch((error) => Effect.succeed(`${error.message} [${error.code}] ${error.hint}`)),
  );
