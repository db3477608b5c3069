import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type { RequestRejected } from "../errors/index.ts";
import { GatewayMetrics } from "../metrics/index.ts";
import { AgentRegistry } from "../registry/index.ts";
import { AssertionUses } from "../replay/index.ts";
import { type Dependencies, makeAuthentication } from "./authenticate.ts";
import type { AuthenticationOptions, Credentials, Principal } from "./principal.ts";
import { UserTokens } from "./users.ts";

export type {
  AgentPrincipal,
  AuthenticationOptions,
  Credentials,
  Principal,
  UserPrincipal,
} from "./principal.ts";
export type { RateLimit } from "../limits/index.ts";
export type { RegistryCacheOptions } from "../registry/cache.ts";
export { checkAccountHeaders } from "./account-headers.ts";
export { rejectionResponse, type RejectionResponse } from "./rejection.ts";
export { layerOAuthUsers, type OAuthUsersOptions, UserTokens, type VerifiedUser } from "./users.ts";

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
     * Does the same as `authenticate`, but returns the result without starting a fiber if nothing has to be awaited.
     * That is the case if the same header was already verified in the current second, or if the agent and its task are
     * cached. Otherwise returns an Effect.
     */
    readonly authenticateNow: (
      credentials: Credentials,
    ) => Principal | RequestRejected | Effect.Effect<Principal, RequestRejected>;
    /** Whether bearer tokens are accepted. */
    readonly acceptsBearer: boolean;
    /**
     * Drops the cache entries of one agent, or of all agents, so that a revocation takes effect at once in this
     * process.
     */
    readonly forget: (agentRuntimeId?: string) => void;
    /** The number of entries in each in-memory cache. */
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
