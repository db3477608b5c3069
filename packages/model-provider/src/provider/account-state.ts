import type { Remedy } from "@agent-auth/agent-identity/errors";
import type { PlanType } from "@agent-auth/agent-identity/record/plan";
import type { Credential, CredentialSource } from "@agent-auth/login/credential";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { type AnyAuthManager, credentialAccess } from "../credentials/index.ts";
import type { ModelProvider } from "./index.ts";

/** Kinds of credentials that belong to an account. */
export type AccountKind = Exclude<Credential["_tag"], "Bearer">;

/** The account that requests are sent for, ready to be shown. It contains no secret. */
export type AccountState =
  | {
      readonly _tag: "SignedIn";
      readonly kind: AccountKind;
      readonly source: CredentialSource;
      readonly isFedrampAccount: boolean;
      /** Present if the credential says so. Those of a ChatGPT sign-in are unverified claims of its id token. */
      readonly email?: string;
      readonly planType?: PlanType;
      readonly accountId?: string;
      readonly userId?: string;
      /** Milliseconds since the epoch. */
      readonly expiresAtMs?: number;
    }
  | { readonly _tag: "SignedOut" }
  /** The provider uses its own key or token, or no credential. */
  | { readonly _tag: "NoAccount"; readonly auth: "EnvKey" | "BearerToken" | "Command" | "None" }
  /** A credential is configured but cannot be used. */
  | {
      readonly _tag: "Unavailable";
      readonly code: string;
      readonly message: string;
      readonly hint: string;
      readonly remedy: Remedy;
    };

const signedOut: AccountState = { _tag: "SignedOut" };

/**
 * Returns the account that the next request to `provider` is sent for, or why there is none. Never fails: a credential
 * that cannot be loaded is the state `Unavailable`. Without `provider`, it describes the current sign-in. Pass `null` if
 * there is no manager.
 *
 * @example
 * ```ts
 * import { accountState } from "@agent-auth/model-provider/provider/account-state";
 * import * as Effect from "effect/Effect";
 *
 * await Effect.runPromise(accountState(null)); // { _tag: "SignedOut" }
 * ```
 */
export const accountState = (
  manager: AnyAuthManager | null,
  provider?: ModelProvider,
): Effect.Effect<AccountState> => {
  if (provider !== undefined && provider.auth._tag !== "SignedIn")
    return Effect.succeed({ _tag: "NoAccount", auth: provider.auth._tag });
  if (manager === null) return Effect.succeed(signedOut);
  return credentialAccess(manager).current.pipe(
    Effect.map(Option.match({ onNone: () => signedOut, onSome: describe })),
    Effect.catch(({ code, message, hint, remedy }) =>
      Effect.succeed<AccountState>({ _tag: "Unavailable", code, message, hint, remedy }),
    ),
  );
};

const describe = (credential: Credential): AccountState => {
  if (credential._tag === "Bearer") return { _tag: "NoAccount", auth: "BearerToken" };
  const { email, planType, accountId, userId, isFedrampAccount } = credential.account;
  const expiresAtMs = "expiresAtMs" in credential ? credential.expiresAtMs : undefined;
  return {
    _tag: "SignedIn",
    kind: credential._tag,
    source: credential.source,
    isFedrampAccount,
    ...(email === undefined ? {} : { email }),
    ...(planType === undefined ? {} : { planType }),
    ...(accountId === undefined ? {} : { accountId }),
    ...(userId === undefined ? {} : { userId }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
  };
};
