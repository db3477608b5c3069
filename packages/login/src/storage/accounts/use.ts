import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { AccountNotFound, CurrentSignInNotKept } from "../../errors/account.ts";
import { type AuthDocument, lastRefreshMs } from "../auth-json/index.ts";
import { CredentialStore } from "../credential-store.ts";
import { save, type SignIns, unreadable } from "./sign-ins.ts";
import type { KeptAccountsOptions } from "./types.ts";

/**
 * Makes a kept account the current sign-in, under the lock of CODEX_HOME. First the current sign-in is put back under its
 * name, then it is replaced: a crash in between loses nothing.
 */
export const makeUse = ({ environment: { codexHome } }: KeptAccountsOptions, signIns: SignIns) => {
  const replaceBy = Effect.fnUntraced(function* (name: string, store: CredentialStore["Service"]) {
    const wanted = Option.getOrUndefined(yield* signIns.loadToCopy(signIns.homeOf(name)));
    if (wanted === undefined) return yield* new AccountNotFound({ name });
    const present = Option.getOrUndefined(yield* signIns.loadToCopy(codexHome));
    if (present?.key === wanted.key) return false;
    if (present !== undefined) yield* putBack(present.document, yield* signIns.accountOf(present));
    yield* store.save(wanted.document);
    return true;
  });
  const putBack = Effect.fnUntraced(function* (
    present: AuthDocument,
    kept: Effect.Success<ReturnType<SignIns["accountOf"]>>,
  ) {
    if (kept === undefined) return yield* new CurrentSignInNotKept();
    const newest = newer(present, kept.signIn.document);
    yield* signIns.lockedIn(signIns.homeOf(kept.name))(save(newest));
  });

  return Effect.fnUntraced(function* (name: string) {
    const store = yield* CredentialStore;
    const found = yield* Effect.result(signIns.find(name));
    if (Result.isFailure(found)) return yield* unreadable({ name, error: found.failure }, false);
    if (Option.isNone(found.success)) return yield* new AccountNotFound({ name });
    return yield* signIns.lockedIn(signIns.homeOf(name))(replaceBy(name, store));
  });
};

/** Returns the newer of two documents of one sign-in. A manager that works with the kept copy may have refreshed it. */
const newer = (present: AuthDocument, kept: AuthDocument): AuthDocument =>
  (lastRefreshMs(kept) ?? 0) > (lastRefreshMs(present) ?? 0) ? kept : present;
