import type { Credential } from "@agent-auth/login/credential";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { authHeaders } from "./auth-headers.ts";
import { commandTokenAccess } from "../credentials/command-token.ts";
import {
  type AnyAuthManager,
  type CredentialAccess,
  credentialAccess,
  fixedCredential,
  noCredential,
} from "../credentials/index.ts";
import { type SignError, SignInRequired } from "../errors/index.ts";
import { mayRepeat } from "../requests/same-account.ts";
import { type ModelProvider, requestTarget } from "../provider/index.ts";
import { SignedHeaders } from "./signed-headers.ts";

/** Writes one identity on requests to one provider, and mends the identity after a 401. */
export interface RequestSignerShape {
  readonly provider: ModelProvider;
  /** Fresh headers for one attempt of a request. Fails where a credential is wanted and cannot be had. */
  readonly sign: () => Effect.Effect<SignedHeaders, SignError>;
  /** The same at once, or `null` where `sign` has to be waited for (and will tell what is wrong). */
  readonly signNow: () => SignedHeaders | null;
  /**
   * After a 401: headers of another credential of the same account, worth one more attempt, or `None` where nothing
   * more can be done.
   * Concurrent callers share one reload, refresh, registration or run of a command.
   */
  readonly recover: (
    rejected: SignedHeaders,
  ) => Effect.Effect<Option.Option<SignedHeaders>, SignError>;
}

export interface RequestSignerOptions {
  readonly provider: ModelProvider;
  /** Needed by providers whose auth is `SignedIn`, and by no other. */
  readonly manager?: AnyAuthManager;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * The signer of a provider, chosen by its configuration: its variable's or configured token, its command's, the
 * manager's credential, or nothing. Throws `TypeError` where a manager is needed and missing.
 */
export const makeRequestSigner = (options: RequestSignerOptions): RequestSignerShape => {
  const { provider } = options;
  const now = options.now ?? Date.now;
  const access = accessFor(options, now);
  const write = memoized(provider, now);

  const sign = Effect.fnUntraced(function* () {
    const credential = Option.getOrNull(yield* access.current);
    if (credential === null && provider.auth._tag !== "None")
      return yield* new SignInRequired({ providerId: provider.id });
    return yield* Effect.fromResult(write(credential));
  });
  const recover = Effect.fnUntraced(function* (rejected: SignedHeaders) {
    if (rejected.credential === null) return Option.none();
    const next = yield* access.recoverUnauthorized(rejected.credential);
    if (Option.isNone(next)) return Option.none();
    const signed = yield* Effect.fromResult(write(next.value));
    return mayRepeat(rejected, signed) ? Option.some(signed) : Option.none();
  });
  const nothing = provider.auth._tag === "None" ? write(null) : undefined;
  const signNow = (): SignedHeaders | null => {
    const credential = access.snapshot();
    const signed = credential === null ? nothing : write(credential);
    return signed !== undefined && Result.isSuccess(signed) ? signed.success : null;
  };
  return { provider, sign, signNow, recover };
};

const accessFor = (options: RequestSignerOptions, now: () => number): CredentialAccess => {
  const { auth } = options.provider;
  switch (auth._tag) {
    case "None":
      return noCredential;
    case "EnvKey":
      return fixedCredential(bearerOf(auth.token, auth.variable));
    case "BearerToken":
      return fixedCredential(bearerOf(auth.token, "experimental_bearer_token"));
    case "Command":
      return commandTokenAccess(auth.command, { now });
    default:
      if (options.manager === undefined)
        throw new TypeError(`model provider ${options.provider.id} needs an auth manager`);
      return credentialAccess(options.manager, { now });
  }
};

const bearerOf = (token: Extract<Credential, { _tag: "Bearer" }>["token"], name: string) => ({
  _tag: "Bearer" as const,
  token,
  account: { isFedrampAccount: false },
  source: { _tag: "External" as const, name },
});

/** Headers of one credential are made once, and once a second where they hold the time. */
const memoized = (provider: ModelProvider, now: () => number) => {
  type Written = Result.Result<SignedHeaders, SignError>;
  let lastCredential: Credential | null | undefined;
  let lastSecond = Number.NaN;
  let last: Written | undefined;
  return (credential: Credential | null): Written => {
    const nowMs = now();
    const second = credential?._tag === "AgentIdentity" ? Math.floor(nowMs / 1000) : 0;
    if (last !== undefined && lastCredential === credential && lastSecond === second) return last;
    const target = requestTarget(provider, credential);
    last = Result.map(
      authHeaders(credential, nowMs),
      (headers) => new SignedHeaders(credential, target, headers, provider.headers),
    );
    lastCredential = credential;
    lastSecond = second;
    return last;
  };
};
