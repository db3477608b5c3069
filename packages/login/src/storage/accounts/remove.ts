import { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { AccountInUse, AccountNotFound } from "../../errors/account.ts";
import type { LoginError } from "../../errors/index.ts";
import { tokenAuthority } from "../../oauth/authority.ts";
import type { AuthDocument } from "../auth-json/index.ts";
import { CredentialStore, logStoreWarning } from "../credential-store.ts";
import { HomeLock } from "../lock/index.ts";
import { removeAccountFolder } from "./folders.ts";
import { loadSignIn, type SignIns } from "./sign-ins.ts";
import type { SignIn } from "./summary.ts";
import type { KeptAccountsOptions, RemovedAccount } from "./types.ts";

export type Removal = ReturnType<typeof makeRemoval>;

/** Removes kept accounts, and revokes their tokens. */
export const makeRemoval = (
  options: KeptAccountsOptions,
  signIns: SignIns,
  transport: HttpTransport["Service"],
) => {
  const { environment } = options;
  const { codexHome } = environment;

  /** A program that holds a lock file cannot prevent the removal. */
  const removeStored = <R>(name: string, before: Effect.Effect<unknown, never, R>) =>
    HomeLock.use((lock) =>
      lock.withLockIfAvailable(
        Effect.andThen(
          before,
          CredentialStore.use((store) => store.remove()),
        ),
        { onUnavailable: logStoreWarning },
      ),
    ).pipe(
      Effect.provide(signIns.storeOf(signIns.homeOf(name))),
      Effect.andThen(removeAccountFolder(codexHome.path, name)),
    );

  const revoke = Effect.fnUntraced(function* ({ authMode, tokens }: AuthDocument) {
    if (tokens === undefined || authMode === "chatgptAuthTokens") return "notNeeded";
    const { allowInsecureHttp = false } = options;
    const authority = tokenAuthority(environment, tokens.oauthProvenance, allowInsecureHttp);
    if (authority === undefined) return "failed";
    const { revokeTokens } = yield* Effect.promise(() => import("../../oauth/revoke.ts"));
    const isRevoked = yield* Effect.provideService(
      revokeTokens(tokens, authority),
      HttpTransport,
      transport,
    );
    return isRevoked ? "revoked" : "failed";
  });

  const remove = Effect.fnUntraced(function* (
    name: string,
  ): Effect.fn.Return<RemovedAccount, LoginError> {
    const found = yield* Effect.result(signIns.find(name));
    if (Result.isFailure(found)) {
      yield* removeStored(name, Effect.void);
      return { revoked: "unreadable" };
    }
    const signIn = Option.getOrUndefined(found.success);
    if (signIn === undefined) return yield* new AccountNotFound({ name });
    if (yield* signIns.isCurrent(signIn)) return yield* new AccountInUse({ name });
    let revoked: RemovedAccount["revoked"] = "notNeeded";
    const revokeNewest = Effect.gen(function* () {
      const newest = Option.getOrElse(
        yield* Effect.orElseSucceed(loadSignIn, () => Option.none<SignIn>()),
        () => signIn,
      );
      revoked = yield* revoke(newest.document);
    });
    yield* removeStored(name, revokeNewest);
    return { revoked };
  });

  return { remove, forget: (name: string) => removeStored(name, Effect.void) };
};
