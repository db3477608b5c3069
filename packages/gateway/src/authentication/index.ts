import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type { RequestRejected } from "../errors/index.ts";
import type { RateLimit } from "../limits/index.ts";
import { GatewayMetrics } from "../metrics/index.ts";
import { AgentRegistry } from "../registry/index.ts";
import type { AgentAccount } from "../registry/index.ts";
import type { RegistryCacheOptions } from "../registry/cache.ts";
import { AssertionUses } from "../replay/index.ts";
import { type Dependencies, makeAuthentication } from "./authenticate.ts";
import { UserTokens, type VerifiedUser } from "./users.ts";

export type { RateLimit } from "../limits/index.ts";
export type { RegistryCacheOptions } from "../registry/cache.ts";
export { rejectionResponse, type RejectionResponse } from "./rejection.ts";
export { layerOAuthUsers, type OAuthUsersOptions, UserTokens, type VerifiedUser } from "./users.ts";

/** What is read of a request to authenticate it. */
export interface Credentials {
  /** The `Authorization` header. */
  readonly authorization: string | null | undefined;
  /** The `ChatGPT-Account-ID` header. */
  readonly accountId?: string | null | undefined;
  /** The `X-OpenAI-Fedramp` header. */
  readonly fedramp?: string | null | undefined;
  /** Where the request comes from, such as the remote address. Absent: limits per source do not apply. */
  readonly source?: string | undefined;
}

/** An agent whose assertion was verified. */
export interface AgentPrincipal {
  readonly kind: "agent";
  readonly agentRuntimeId: string;
  readonly taskId: string;
  readonly account: AgentAccount;
  /** When the assertion was signed, milliseconds since the epoch. */
  readonly signedAtMs: number;
}

/** A person whose access token was verified. */
export interface UserPrincipal extends VerifiedUser {
  readonly kind: "user";
}

/** Who sent a request. */
export type Principal = AgentPrincipal | UserPrincipal;

/** How requests are authenticated. */
export interface AuthenticationOptions {
  /** How many seconds an assertion's timestamp may be in the past or future. Default 300. */
  readonly clockWindowSeconds?: number;
  /**
   * `required`: an agent must send its account as `ChatGPT-Account-ID`, and `X-OpenAI-Fedramp: true` for a FedRAMP account,
   * as Codex does. Default `ifPresent`: a header that is sent must name the agent's account.
   */
  readonly accountHeaders?: "required" | "ifPresent";
  /** How long look-ups of the registry are kept. */
  readonly cache?: RegistryCacheOptions;
  /** Requests of one agent. Default: unlimited. Counted in this process. */
  readonly perAgent?: RateLimit;
  /** Requests of one source. Default: unlimited. Counted in this process. */
  readonly perSource?: RateLimit;
  /**
   * Failed verifications of one source; a source that reaches the limit is rejected before anything is parsed, except for
   * headers that were verified before. Default 1000 in 10 seconds. If all requests come through one proxy, name the source
   * by its forwarding header, or set null.
   */
  readonly failuresPerSource?: RateLimit | null;
}

const optional = <I, S>(key: Context.Key<I, S>) =>
  Effect.map(Effect.serviceOption(key), Option.getOrUndefined);

/**
 * Authenticates requests of agents, and of people if `UserTokens` is provided.
 *
 * @example
 * ```ts
 * import { Authentication } from "@agent-auth/gateway/authentication";
 * import { AgentRegistry, makeMemoryRegistry } from "@agent-auth/gateway/registry";
 * import * as Effect from "effect/Effect";
 * import * as Layer from "effect/Layer";
 *
 * const registry = Layer.succeed(AgentRegistry, makeMemoryRegistry().service);
 * const layer = Layer.provide(Authentication.layer(), registry);
 *
 * const program = Authentication.use((it) => it.authenticate({ authorization: null }));
 * const rejected = await Effect.runPromise(Effect.flip(program).pipe(Effect.provide(layer)));
 * rejected.reason; // "missing_authorization"
 * ```
 */
export class Authentication extends Context.Service<
  Authentication,
  {
    readonly authenticate: (credentials: Credentials) => Effect.Effect<Principal, RequestRejected>;
    /**
     * The same without starting a fiber if nothing has to be awaited: if the header was verified before in this second, or
     * the agent and its task are cached. Otherwise returns the Effect.
     */
    readonly authenticateNow: (
      credentials: Credentials,
    ) => Principal | RequestRejected | Effect.Effect<Principal, RequestRejected>;
    /** Whether bearer tokens are accepted. */
    readonly acceptsBearer: boolean;
    /** Drops what is cached of an agent, or everything, so that a revocation takes effect at once in this process. */
    readonly forget: (agentRuntimeId?: string) => void;
    /** How much is kept in memory. */
    readonly sizes: Effect.Effect<Readonly<Record<string, number>>>;
  }
>()("@agent-auth/gateway/authentication") {
  /**
   * Uses `AssertionUses`, `UserTokens` and `GatewayMetrics` if they are provided. Throws `TypeError` or `RangeError` for an
   * option of the wrong type or range.
   */
  static readonly layer = (
    options: AuthenticationOptions = {},
  ): Layer.Layer<Authentication, never, AgentRegistry> =>
    Layer.effect(
      Authentication,
      Effect.gen(function* () {
        const dependencies: Dependencies = {
          registry: yield* AgentRegistry,
          uses: yield* optional(AssertionUses),
          users: yield* optional(UserTokens),
          metrics: yield* optional(GatewayMetrics),
        };
        return Authentication.of(yield* makeAuthentication(dependencies, options));
      }),
    );
}
