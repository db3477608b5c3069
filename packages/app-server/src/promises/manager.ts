import { isDue } from "@agent-auth/login/credential/expiry";
import { isLoginError, type LoginError } from "@agent-auth/login/errors";
import type { PromiseAuthManager } from "@agent-auth/login/promises";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Queue from "effect/Queue";
import * as Stream from "effect/Stream";
import type { AccountManager } from "../service/types.ts";

/** Returns the operations of a Promise-based auth manager as Effects. */
export const toAccountManager = (manager: PromiseAuthManager): AccountManager => ({
  current: Effect.suspend(() => {
    // Avoids a Promise if the credential is available at once.
    const credential = manager.requestSnapshot();
    return credential !== null && !isDue(credential, Date.now())
      ? Effect.succeedSome(credential)
      : Effect.map(
          call((options) => manager.current(options)),
          Option.fromNullishOr,
        );
  }),
  snapshot: () => Option.fromNullishOr(manager.snapshot()),
  refresh: (reason) => call((options) => manager.refresh(reason, options)),
  recoverUnauthorized: (rejected) =>
    Effect.map(
      call((options) => manager.recoverUnauthorized(rejected, options)),
      Option.fromNullishOr,
    ),
  checkLogin: (method) => call((options) => manager.checkLogin(method, options)),
  loginWithApiKey: (apiKey) => call((options) => manager.loginWithApiKey(apiKey, options)),
  loginWithChatgptTokens: (tokens) =>
    call((options) => manager.loginWithChatgptTokens(tokens, options)),
  logout: call((options) => manager.logout(options)),
  setExternalProvider: (provider) =>
    Effect.contextWith((context) => {
      const run = Effect.runPromiseWith(context);
      return call((options) =>
        manager.setExternalProvider(
          provider === null
            ? null
            : {
                name: provider.name,
                tokens: (ask, signal) => run(provider.tokens(ask), { signal }),
              },
          options,
        ),
      );
    }),
  switchWorkspace: (workspaceId) =>
    call((options) => manager.switchWorkspace(workspaceId, options)),
  changes: Stream.callback((queue) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        manager.subscribe((credential) => {
          Queue.offerUnsafe(queue, Option.fromNullishOr(credential));
        }),
      ),
      (stop) => Effect.sync(stop),
    ),
  ),
});

const call = <A>(
  promise: (options: { readonly signal: AbortSignal }) => Promise<A>,
): Effect.Effect<A, LoginError> =>
  Effect.tryPromise({ try: (signal) => promise({ signal }), catch: (error) => error }).pipe(
    Effect.catch((error) => (isLoginError(error) ? Effect.fail(error) : Effect.die(error))),
  );
