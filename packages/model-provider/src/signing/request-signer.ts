import type { BearerCredential, Credential } from "@agent-auth/login/credential";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import type { GatewayTokens } from "@agent-auth/login/gateway-oauth";
import { commandTokenAccess } from "../credentials/command-token.ts";
import {
  type AnyAuthManager,
  type CredentialAccess,
  credentialAccess,
  fixedCredential,
  noCredential,
} from "../credentials/index.ts";
import { type SignError, SignInRequired } from "../errors/index.ts";
import { type ModelProvider, requestTarget } from "../provider/index.ts";
import { authHeaders, workspaceHeaders } from "./auth-headers.ts";
import { gatewayHeaders } from "./gateway-headers.ts";
import { SignedHeaders } from "./signed-headers.ts";

/** Authenticates requests to one provider, and gets another credential after a 401. */
export interface RequestSignerShape {
  readonly provider: ModelProvider;
  /** Returns fresh headers for one attempt of a request. Fails if a credential is needed and not available. */
  readonly sign: () => Effect.Effect<SignedHeaders, SignError>;
  /** As `sign`, but without waiting; `null` if only `sign` can return headers or the error. */
  readonly signNow: () => SignedHeaders | null;
  /**
   * After a 401: returns headers of another credential for one more attempt, or `None` if there is no other, or only one
   * of another account than `madeFor` (the headers of the first attempt; default `rejected`). Concurrent callers share
   * one reload, refresh, registration or run of a command.
   */
  readonly recover: (
    rejected: SignedHeaders,
    madeFor?: SignedHeaders,
  ) => Effect.Effect<Option.Option<SignedHeaders>, SignError>;
}

export interface RequestSignerOptions {
  readonly provider: ModelProvider;
  /** Required if the provider's auth is `SignedIn`, unused otherwise. */
  readonly manager?: AnyAuthManager;
  /** Required if the provider has a gateway with a sign-in; `makeGatewayTokens` of `@agent-auth/login/gateway-oauth`. */
  readonly gateway?: GatewayTokens;
  /** Returns milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** A signer that several clients share, or what is needed to make one. */
export type SignerOptions = { readonly signer: RequestSignerShape } | RequestSignerOptions;

export const signerFrom = (options: SignerOptions): RequestSignerShape =>
  "signer" in options ? options.signer : makeRequestSigner(options);

/**
 * Returns the signer of a provider. Its configuration decides which credential is used: that of `env_key`, a configured
 * token, the output of a command, the manager's credential, or none. Throws `TypeError` if a manager is needed and
 * missing.
 *
 * @example
 * ```ts
 * import { resolveProvider } from "@agent-auth/model-provider/provider";
 * import { makeRequestSigner } from "@agent-auth/model-provider/signing";
 * import * as Result from "effect/Result";
 *
 * const config = { chatgptBaseUrl: "https://chatgpt.com/backend-api", modelProviders: new Map() };
 * const provider = Result.getOrThrow(
 *   resolveProvider({ config, environment: { variable: () => undefined } }),
 * );
 * const signer = makeRequestSigner({
 *   provider,
 *   manager: {
 *     current: () => Promise.resolve(null),
 *     recoverUnauthorized: () => Promise.resolve(null),
 *   },
 * });
 * signer.signNow(); // null: signed out
 * ```
 */
export const makeRequestSigner = (options: RequestSignerOptions): RequestSignerShape => {
  const { provider } = options;
  const now = options.now ?? Date.now;
  const access = accessFor(options, now);
  const gateway = gatewayFor(options, now);
  const write = memoized(provider, now);

  const sign = Effect.fn("RequestSigner.sign")(function* () {
    const credential = Option.getOrNull(yield* access.current);
    yield* Effect.annotateCurrentSpan("credential.kind", credential?._tag ?? "none");
    if (credential === null && provider.auth._tag !== "None")
      return yield* new SignInRequired({ providerId: provider.id });
    const gatewayToken = gateway === undefined ? null : Option.getOrNull(yield* gateway.current);
    return yield* Effect.fromResult(write(credential, gatewayToken));
  });
  const recover = Effect.fn("RequestSigner.recover")(function* (
    rejected: SignedHeaders,
    madeFor: SignedHeaders = rejected,
  ) {
    if (gateway !== undefined && rejected.gateway?._tag === "Bearer") {
      const next = yield* gateway.recoverUnauthorized(rejected.gateway);
      if (Option.isSome(next)) {
        const signed = yield* Effect.fromResult(write(rejected.credential, next.value));
        return madeFor.mayBeReplacedBy(signed) ? Option.some(signed) : Option.none();
      }
    }
    if (rejected.credential === null) return Option.none();
    yield* Effect.annotateCurrentSpan("credential.kind", rejected.credential._tag);
    const next = yield* access.recoverUnauthorized(rejected.credential);
    yield* Effect.annotateCurrentSpan("recovered", Option.isSome(next));
    if (Option.isNone(next)) return Option.none();
    const signed = yield* Effect.fromResult(write(next.value, rejected.gateway));
    return madeFor.mayBeReplacedBy(signed) ? Option.some(signed) : Option.none();
  });
  const isOpen = provider.auth._tag === "None";
  const signNow = (): SignedHeaders | null => {
    const credential = access.snapshot();
    const gatewayToken = gateway?.snapshot() ?? null;
    if ((credential === null && !isOpen) || (gatewayToken === null && gateway !== undefined))
      return null;
    const signed = write(credential, gatewayToken);
    return Result.isSuccess(signed) ? signed.success : null;
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

/** The token of the gateway, if the provider has one. */
const gatewayFor = (
  options: RequestSignerOptions,
  now: () => number,
): CredentialAccess | undefined => {
  const { gateway, id } = options.provider;
  if (gateway === undefined) return undefined;
  if (gateway._tag === "Command")
    return commandTokenAccess(gateway.command, { now, isOneWord: true }); // as in Codex
  if (options.gateway === undefined)
    throw new TypeError(`model provider ${id} needs the tokens of its gateway`);
  const { current, recoverUnauthorized, snapshot } = options.gateway;
  return {
    snapshot,
    current,
    recoverUnauthorized: (rejected) =>
      rejected._tag === "Bearer" ? recoverUnauthorized(rejected) : Effect.succeedNone,
  };
};

const bearerOf = (token: BearerCredential["token"], name: string): BearerCredential => ({
  _tag: "Bearer",
  token,
  account: { isFedrampAccount: false },
  source: { _tag: "External", name },
});

/** Headers of one credential are made once, or once a second if they contain the time. */
const memoized = (provider: ModelProvider, now: () => number) => {
  type Written = Result.Result<SignedHeaders, SignError>;
  let lastCredential: Credential | null | undefined;
  let lastSecond = 0;
  let last: Written | undefined;
  let lastGateway: Credential | null = null;
  return (credential: Credential | null, gateway: Credential | null): Written => {
    const nowMs = now();
    const second = credential?._tag === "AgentIdentity" ? Math.floor(nowMs / 1000) : 0;
    const isSame = lastCredential === credential && lastGateway === gateway;
    if (last !== undefined && isSame && lastSecond === second) return last;
    const target = requestTarget(provider, credential);
    last = Result.gen(function* () {
      const headers = {
        ...(yield* authHeaders(credential, nowMs)),
        ...(provider.isRoutedByWorkspace ? workspaceHeaders(credential) : {}),
        ...(yield* gatewayHeaders(provider.gateway?.delivery, gateway)),
      };
      return new SignedHeaders(credential, target, headers, provider.headers, gateway);
    });
    lastCredential = credential;
    lastGateway = gateway;
    lastSecond = second;
    return last;
  };
};
