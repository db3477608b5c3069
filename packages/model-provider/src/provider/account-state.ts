import type { PlanType } from "@agent-auth/agent-identity/record/plan";
import type { Credential, CredentialSource } from "@agent-auth/login/credential";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { type AnyAuthManager, credentialAccess } from "../credentials/index.ts";
import type { ModelProvider } from "./index.ts";

/** Kinds of credentials that a person can be shown. */
export type AccountKind = Exclude<Credential["_tag"], "Bearer">;

/** Who requests will speak for, in the form that a person is shown. It holds no secret. */
export type AccountState =
  | {
      readonly _tag: "SignedIn";
      readonly kind: AccountKind;
      readonly source: CredentialSource;
      readonly isFedrampAccount: boolean;
      /** Of these, what the credential says; a ChatGPT sign-in's are unverified claims of its id token. */
      readonly email?: string;
      readonly planType?: PlanType;
      readonly accountId?: string;
      readonly userId?: string;
      /** Milliseconds since the epoch. */
      readonly expiresAtMs?: number;
    }
  | { readonly _tag: "SignedOut" }
  /** The provider is authenticated by something that is nobody's account, or by nothing at all. */
  | { readonly _tag: "NoAccount"; readonly auth: "EnvKey" | "BearerToken" | "Command" | "None" }
  /** A credential is configured and cannot be used. */
  | {
      readonly _tag: "Unavailable";
      readonly code: string;
      readonly message: string;
      readonly hint: string;
    };

const signedOut: AccountState = { _tag: "SignedOut" };

/**
 * Who the next request to `provider` will speak for, or the reason why nobody. It never fails: an account that
 * cannot be loaded is a state to show. Without a provider it tells who is signed in; `null` for no manager.
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
    Effect.catch(({ code, message, hint }) =>
      Effect.succeed<AccountState>({ _tag: "Unavailable", code, message, hint }),
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
