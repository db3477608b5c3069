import { randomUUID } from "node:crypto";
import type { AgentKeyMalformed, JwtVerificationError } from "@agent-auth/agent-identity/errors";
import {
  defaultAudience,
  defaultClockToleranceSeconds,
  defaultIssuer,
  type VerifiedAgentIdentity,
} from "@agent-auth/agent-identity/jwt";
import {
  type AgentIdentityJwtVerifier,
  makeAgentIdentityJwtVerifier,
} from "@agent-auth/agent-identity/jwt/verifier";
import { exportPkcs8, generateAgentKey } from "@agent-auth/agent-identity/keys";
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import {
  type AgentIdTaken,
  type SigningCommandFailed,
  SigningKeyInvalid,
  type StoreUnavailable,
} from "../errors/index.ts";
import { type AgentAccount, AgentRegistry } from "../registry/index.ts";
import { identityClaims } from "./claims.ts";
import type { SigningKey } from "./signing-key.ts";
import {
  currentKey,
  jwksOf,
  type KeyTiming,
  type PublishedJwks,
  publishedKeys,
  SigningKeys,
  type SigningKeysError,
} from "./signing-keys.ts";

export { identityClaims, type IdentityClaims } from "./claims.ts";
export {
  publicJwk,
  type PublicJwk,
  type SigningCommandOptions,
  type SigningKey,
  signingKeyOf,
  signingKeyOfCommand,
} from "./signing-key.ts";
export {
  entityTag,
  type KeyTiming,
  type PublishedJwks,
  SigningKeys,
  type SigningKeysError,
} from "./signing-keys.ts";

/** How identities are issued. */
export interface IssuerOptions {
  /** `iss`. Default: OpenAI's, which Codex and agent-auth expect. The keys are your own in any case. */
  readonly issuer?: string;
  /** `aud`. Default `codex-app-server`. */
  readonly audience?: string;
  /** The longest lifetime of a token in seconds: old keys stay published for that long. Default 30 days. */
  readonly maxLifetimeSeconds?: number;
  /** `max-age` of the key set in seconds; a new key is published for twice as long before it signs. Default 300. */
  readonly jwksMaxAgeSeconds?: number;
}

/** The identity to mint. */
export interface MintOptions {
  readonly account: AgentAccount;
  /** Default: a new id. */
  readonly agentRuntimeId?: string;
  /** Default one day, or the issuer's longest lifetime if that is shorter. */
  readonly expiresInSeconds?: number;
  /** Default `v2`, which Codex uses now. */
  readonly design?: "v1" | "v2";
}

/** A minted identity. The agent is registered. */
export interface MintedIdentity {
  /** The token, which contains the agent's private key: hand it to the agent, and keep no copy. */
  readonly jwt: Redacted.Redacted;
  readonly agentRuntimeId: string;
  readonly publicKey: string;
  readonly expiresAtMs: number;
}

/** Why no identity was minted. */
export type MintError = SigningKeysError | SigningCommandFailed | AgentIdTaken | StoreUnavailable;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/**
 * Signs claims as a compact JWS (RFC 7515), RS256, with `typ`, `kid` and further header parameters. Fails with
 * `SigningCommandFailed` if the key is a command's.
 *
 * @example
 * ```ts
 * import { generateKeyPairSync } from "node:crypto";
 * import { signingKeyOf, signJwt } from "@agent-auth/gateway/issuer";
 * import * as Effect from "effect/Effect";
 *
 * const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
 * const jwt = await Effect.runPromise(signJwt(signingKeyOf(privateKey), { sub: "user-1" }));
 * jwt.split(".").length; // 3
 * ```
 */
export const signJwt = Effect.fnUntraced(function* (
  key: Pick<SigningKey, "kid" | "sign">,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>> = {},
): Effect.fn.Return<string, SigningCommandFailed> {
  const input = `${encode({ alg: "RS256", typ: "JWT", kid: key.kid, ...header })}.${encode(claims)}`;
  const signature = yield* key.sign(Buffer.from(input, "latin1"));
  return `${input}.${Buffer.from(signature).toString("base64url")}`;
});

const day = 86_400;

const checkSeconds = (name: string, value: number): number => {
  if (typeof value !== "number") throw new TypeError(`${name} must be a number`);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`${name} must be a whole number of one or more`);
};

/** A verifier for a key set, made again when the set has changed. */
const makeVerifier = (issuer: string, audience: string) => {
  let made: { readonly etag: string; readonly verifier: AgentIdentityJwtVerifier } | undefined;
  return ({ document, etag }: PublishedJwks): AgentIdentityJwtVerifier => {
    if (made?.etag !== etag) {
      made = { etag, verifier: makeAgentIdentityJwtVerifier(document, { issuer, audience }) };
    }
    return made.verifier;
  };
};

/**
 * Mints agent identities: generates the agent's key, registers the agent, and signs the token.
 *
 * @example
 * ```ts
 * import { AgentIssuer, SigningKeys } from "@agent-auth/gateway/issuer";
 * import { AgentRegistry, makeMemoryRegistry } from "@agent-auth/gateway/registry";
 * import * as Effect from "effect/Effect";
 * import * as Layer from "effect/Layer";
 *
 * const layer = AgentIssuer.layer({ issuer: "https://codex.example" }).pipe(
 *   Layer.provide(SigningKeys.layerMemory),
 *   Layer.provide(Layer.succeed(AgentRegistry, makeMemoryRegistry().service)),
 * );
 * const program = AgentIssuer.use((it) => it.mint({ account: { accountId: "account-123" } }));
 * const { agentRuntimeId, jwt } = await Effect.runPromise(program.pipe(Effect.provide(layer)));
 * ```
 */
export class AgentIssuer extends Context.Service<
  AgentIssuer,
  {
    readonly mint: (options: MintOptions) => Effect.Effect<MintedIdentity, MintError>;
    /** The published keys. */
    readonly jwks: Effect.Effect<PublishedJwks, SigningKeysError>;
    /** `Cache-Control` of the key set. */
    readonly cacheControl: string;
    /** Verifies a token of this issuer. Whether its agent was revoked is not checked. */
    readonly verify: (
      jwt: string,
    ) => Effect.Effect<
      VerifiedAgentIdentity,
      JwtVerificationError | AgentKeyMalformed | SigningKeysError
    >;
    /** Adds a key that signs after a while, and removes old ones. Returns its `kid` and from when it signs. */
    readonly rotate: Effect.Effect<Pick<SigningKey, "kid" | "activeFromMs">, SigningKeysError>;
  }
>()("@agent-auth/gateway/issuer") {
  /** Throws `TypeError` or `RangeError` for an option of the wrong type or range. */
  static readonly layer = (
    options: IssuerOptions = {},
  ): Layer.Layer<AgentIssuer, never, SigningKeys | AgentRegistry> => {
    const { issuer = defaultIssuer, audience = defaultAudience } = options;
    if (typeof issuer !== "string" || issuer === "") throw new TypeError("issuer must be a string");
    const maxLifetime = checkSeconds("maxLifetimeSeconds", options.maxLifetimeSeconds ?? 30 * day);
    const maxAge = checkSeconds("jwksMaxAgeSeconds", options.jwksMaxAgeSeconds ?? 300);
    const timing: KeyTiming = {
      publishAheadMs: maxAge * 2000,
      overlapMs: (maxLifetime + defaultClockToleranceSeconds) * 1000,
    };
    return Layer.effect(
      AgentIssuer,
      Effect.gen(function* () {
        const keys = yield* SigningKeys;
        const registry = yield* AgentRegistry;
        const verifierOf = makeVerifier(issuer, audience);

        let served: { readonly kids: string; readonly jwks: PublishedJwks } | undefined;
        const jwks = Effect.gen(function* () {
          const nowMs = yield* Clock.currentTimeMillis;
          const published = publishedKeys(yield* keys.all, nowMs, timing);
          const kids = JSON.stringify(published.map(({ kid }) => kid));
          if (served?.kids !== kids) served = { kids, jwks: jwksOf(published) };
          return served.jwks;
        });

        const mint = Effect.fn("AgentIssuer.mint")(function* (
          wanted: MintOptions,
        ): Effect.fn.Return<MintedIdentity, MintError> {
          const expiresInSeconds = checkSeconds(
            "expiresInSeconds",
            wanted.expiresInSeconds ?? Math.min(day, maxLifetime),
          );
          if (expiresInSeconds > maxLifetime)
            throw new RangeError(`expiresInSeconds must be at most ${maxLifetime}`);
          const nowMs = yield* Clock.currentTimeMillis;
          const signer = currentKey(yield* keys.all, nowMs);
          if (signer === undefined)
            return yield* new SigningKeyInvalid({ source: "(none)", problem: "there is no key" });
          const agentKey = yield* generateAgentKey;
          const agentRuntimeId = wanted.agentRuntimeId ?? `agent-${randomUUID()}`;
          const { account, design = "v2" } = wanted;
          const privateKey = Redacted.value(exportPkcs8(agentKey));
          const facts = { issuer, audience, account, agentRuntimeId, privateKey, design };
          const claims = identityClaims({ ...facts, nowMs, expiresInSeconds });
          const jwt = yield* signJwt(signer, claims);
          const expiresAtMs = (Math.floor(nowMs / 1000) + expiresInSeconds) * 1000;
          yield* registry.addAgent({
            agentRuntimeId,
            publicKey: agentKey.sshPublicKey,
            account,
            registeredAtMs: nowMs,
            // A client accepts the token until then, and its tasks must work until then.
            expiresAtMs: expiresAtMs + defaultClockToleranceSeconds * 1000,
          });
          return {
            jwt: Redacted.make(jwt, { label: "agent identity JWT" }),
            agentRuntimeId,
            publicKey: agentKey.sshPublicKey,
            expiresAtMs,
          };
        });

        const verify = Effect.fnUntraced(function* (jwt: string) {
          const nowMs = yield* Clock.currentTimeMillis;
          const verified = verifierOf(yield* jwks).verify(jwt, nowMs);
          return "_tag" in verified ? yield* verified : verified;
        });

        return AgentIssuer.of({
          mint,
          jwks,
          cacheControl: `public, max-age=${maxAge}`,
          verify,
          rotate: keys.rotate(timing),
        });
      }),
    );
  };
}
