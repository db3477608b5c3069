import { createHash } from "node:crypto";
import { isHttpsOrLoopback } from "@agent-auth/agent-identity/urls";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { JWTPayload, JWTVerifyGetKey } from "jose";
import { RequestRejected, StoreUnavailable } from "../errors/index.ts";
import type { AgentAccount } from "../registry/index.ts";
import { reject } from "./rejection.ts";

/** A person whose access token was verified. */
export interface VerifiedUser {
  /** `sub`. */
  readonly subject: string;
  /** The account, if the token names one; agents that this person registers belong to it. */
  readonly account?: AgentAccount;
  /** Scopes of the token, `scope` or `scp`. */
  readonly scopes: ReadonlyArray<string>;
  /** When the token expires, milliseconds since the epoch. */
  readonly expiresAtMs?: number;
}

/**
 * Verifies access tokens of people. `layerOAuthUsers` does it for JWTs of an issuer; your own service can look opaque
 * tokens up.
 *
 * @example
 * ```ts
 * import { UserTokens } from "@agent-auth/gateway/authentication";
 * import { RequestRejected } from "@agent-auth/gateway/errors";
 * import * as Effect from "effect/Effect";
 * import * as Layer from "effect/Layer";
 *
 * const layer = Layer.succeed(UserTokens, {
 *   verify: () => Effect.fail(new RequestRejected({ reason: "invalid_token", message: "the token is not valid" })),
 * });
 * ```
 */
export class UserTokens extends Context.Service<
  UserTokens,
  {
    readonly verify: (
      token: string,
    ) => Effect.Effect<VerifiedUser, RequestRejected | StoreUnavailable>;
  }
>()("@agent-auth/gateway/authentication/users") {}

/** Which access tokens are accepted. */
export interface OAuthUsersOptions {
  /** `iss`, compared exactly. */
  readonly issuer: string;
  /** Must be among the token's audiences. */
  readonly audience: string;
  /** URL of the issuer's JWKS, https or loopback; or the JWKS itself as parsed JSON. */
  readonly jwks: string | { readonly keys: ReadonlyArray<unknown> };
  /** Default `RS256`, `PS256`, `ES256` and `EdDSA`. */
  readonly algorithms?: ReadonlyArray<string>;
  /** Default 60. */
  readonly clockToleranceSeconds?: number;
  /** Scopes that a token must all have; without them, 403. Default: none. */
  readonly requiredScopes?: ReadonlyArray<string>;
  /**
   * Returns the account of a token. Default: `chatgpt_account_id` and its siblings in the claim
   * `https://api.openai.com/auth`, as OpenAI's tokens have them, or none.
   */
  readonly accountOf?: (claims: Readonly<Record<string, unknown>>) => AgentAccount | undefined;
  /** How long a verified token is accepted without verifying it again, milliseconds. Default 10 s. */
  readonly cacheMs?: number;
}

const maxCached = 10_000;
const maxTokenLength = 16_384;

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

/** The account in the claims of OpenAI's access tokens. */
const openaiAccount = (claims: Readonly<Record<string, unknown>>): AgentAccount | undefined => {
  const auth: object = Object(claims["https://api.openai.com/auth"]);
  const profile: object = Object(claims["https://api.openai.com/profile"]);
  const accountId = text(Reflect.get(auth, "chatgpt_account_id"));
  if (accountId === undefined) return undefined;
  const userId = text(Reflect.get(auth, "chatgpt_user_id")) ?? text(Reflect.get(auth, "user_id"));
  const email = text(claims["email"]) ?? text(Reflect.get(profile, "email"));
  const planType = text(Reflect.get(auth, "chatgpt_plan_type"));
  return {
    accountId,
    ...(userId === undefined ? {} : { userId }),
    ...(email === undefined ? {} : { email }),
    ...(planType === undefined ? {} : { planType }),
    isFedramp: Reflect.get(auth, "chatgpt_account_is_fedramp") === true,
  };
};

const scopesOf = ({ scope, scp }: JWTPayload): ReadonlyArray<string> => {
  if (typeof scope === "string") return scope.split(" ").filter((one) => one !== "");
  if (Array.isArray(scp)) return scp.filter((one): one is string => typeof one === "string");
  return typeof scp === "string" ? scp.split(" ") : [];
};

/** Codes of jose's errors which mean that the key set could not be loaded, not that the token is wrong. */
const unavailable: ReadonlySet<string> = new Set([
  "ERR_JWKS_TIMEOUT",
  "ERR_JWKS_INVALID",
  "ERR_JOSE_GENERIC",
]);

/** What an error of jose means. Its message may quote claims, so only the code is used. */
const translate = (error: unknown): RequestRejected | StoreUnavailable => {
  const code = text(Reflect.get(Object(error), "code")) ?? "";
  if (!code.startsWith("ERR_J") || unavailable.has(code)) {
    const problem = `the key set could not be loaded${code === "" ? "" : ` (${code})`}`;
    return new StoreUnavailable({ store: "users", problem });
  }
  return code === "ERR_JWT_EXPIRED"
    ? reject("token_expired", "the bearer token has expired")
    : reject("invalid_token", `the bearer token is invalid (${code})`);
};

const userOf = (
  claims: JWTPayload,
  options: OAuthUsersOptions,
): VerifiedUser | RequestRejected | StoreUnavailable => {
  const { requiredScopes = [], accountOf = openaiAccount } = options;
  const subject = text(claims.sub);
  if (subject === undefined) return reject("invalid_token", "the bearer token has no subject");
  const scopes = scopesOf(claims);
  if (!requiredScopes.every((scope) => scopes.includes(scope)))
    return reject("not_allowed", `the bearer token lacks a scope of: ${requiredScopes.join(" ")}`);
  let account: AgentAccount | undefined;
  try {
    account = accountOf(claims);
  } catch {
    // The error of the callback may quote claims.
    return new StoreUnavailable({ store: "users", problem: "accountOf threw an error" });
  }
  return {
    subject,
    scopes,
    ...(account === undefined ? {} : { account }),
    ...(claims.exp === undefined ? {} : { expiresAtMs: claims.exp * 1000 }),
  };
};

const keysFrom = async ({ jwks }: OAuthUsersOptions): Promise<JWTVerifyGetKey> => {
  const jose = await import("jose");
  if (typeof jwks === "string") return jose.createRemoteJWKSet(new URL(jwks));
  const keys = jwks.keys.filter((key) => typeof key === "object" && key !== null);
  return jose.createLocalJWKSet({ keys: keys.map((key) => ({ kty: "", ...key })) });
};

const checkUrl = (jwks: OAuthUsersOptions["jwks"]) => {
  if (typeof jwks !== "string") return;
  const url = URL.parse(jwks);
  if (url === null || !isHttpsOrLoopback(url))
    throw new TypeError("jwks must be an https URL, or one of a loopback address");
};

interface Known {
  readonly user: VerifiedUser;
  readonly untilMs: number;
}

const verifyToken = async (
  token: string,
  keys: JWTVerifyGetKey,
  options: OAuthUsersOptions,
  nowMs: number,
): Promise<VerifiedUser | RequestRejected | StoreUnavailable> => {
  const { jwtVerify } = await import("jose");
  const { algorithms = ["RS256", "PS256", "ES256", "EdDSA"] } = options;
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: options.issuer,
      audience: options.audience,
      algorithms: [...algorithms],
      clockTolerance: options.clockToleranceSeconds ?? 60,
      currentDate: new Date(nowMs),
      requiredClaims: ["sub", "exp"],
    });
    return userOf(payload, options);
  } catch (error) {
    return translate(error);
  }
};

/**
 * Verifies JWT access tokens of one issuer with jose (RFC 9068, RFC 8725): signature with a key of the issuer's JWKS, `iss`,
 * `aud`, `exp` (required) and `sub` (required). A verified token is kept for `cacheMs`, by its digest. A key set that cannot be
 * loaded is `StoreUnavailable`, never a rejection. Throws `TypeError` if `jwks` is a URL that is neither https nor loopback.
 *
 * @example
 * ```ts
 * import { layerOAuthUsers } from "@agent-auth/gateway/authentication";
 *
 * const layer = layerOAuthUsers({
 *   issuer: "https://login.example.com",
 *   audience: "https://models.example.com",
 *   jwks: "https://login.example.com/.well-known/jwks.json",
 * });
 * ```
 */
export const layerOAuthUsers = (options: OAuthUsersOptions): Layer.Layer<UserTokens> => {
  checkUrl(options.jwks);
  return Layer.sync(UserTokens, () => {
    const { cacheMs = 10_000 } = options;
    const known = new Map<string, Known>();
    let keys: Promise<JWTVerifyGetKey> | undefined;
    const remember = (digest: string, user: VerifiedUser, nowMs: number) => {
      const untilMs = Math.min(nowMs + cacheMs, user.expiresAtMs ?? Number.POSITIVE_INFINITY);
      known.set(digest, { user, untilMs });
      const [oldest] = known.keys();
      if (known.size > maxCached && oldest !== undefined) known.delete(oldest);
    };
    const verify = Effect.fnUntraced(function* (token: string) {
      if (token.length > maxTokenLength)
        return yield* reject("invalid_token", "the bearer token is too long");
      const nowMs = yield* Clock.currentTimeMillis;
      const digest = createHash("sha256").update(token).digest("base64url");
      const kept = known.get(digest);
      if (kept !== undefined && nowMs < kept.untilMs) return kept.user;
      known.delete(digest);
      const verified = yield* Effect.promise(async () =>
        verifyToken(token, await (keys ??= keysFrom(options)), options, nowMs),
      );
      if ("_tag" in verified) return yield* verified;
      remember(digest, verified, nowMs);
      return verified;
    });
    return UserTokens.of({ verify });
  });
};
