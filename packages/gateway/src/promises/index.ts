import type { VerifiedAgentIdentity } from "@agent-auth/agent-identity/jwt";
import {
  callerLayer,
  type CallerOptions,
} from "@agent-auth/agent-identity/promises/caller-context";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as ManagedRuntime from "effect/ManagedRuntime";
import * as Metric from "effect/Metric";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import type { SqlClient } from "effect/sql/SqlClient";
import {
  Authentication,
  type AuthenticationOptions,
  type Credentials,
  layerOAuthUsers,
  type OAuthUsersOptions,
  type Principal,
  UserTokens,
  type VerifiedUser,
} from "../authentication/index.ts";
import { reject } from "../authentication/rejection.ts";
import { Endpoints, type EndpointsOptions } from "../endpoints/index.ts";
import { GatewayClosed, RequestRejected, StoreUnavailable } from "../errors/index.ts";
import {
  AgentIssuer,
  type IssuerOptions,
  type MintedIdentity,
  type MintOptions,
  type PublishedJwks,
  type SigningKey,
  SigningKeys,
} from "../issuer/index.ts";
import { GatewayMetrics, type Outcome } from "../metrics/index.ts";
import { type Authenticator, authenticatorOf } from "../middleware/authenticator.ts";
import { sourceHeader } from "../middleware/serve-endpoints.ts";
import {
  type AgentAccount,
  AgentRegistry,
  makeMemoryRegistry,
  type RegisteredAgent,
  type TaskName,
} from "../registry/index.ts";
import { AssertionUses, type ReplayLimits } from "../replay/index.ts";
import type { RedisClient } from "../replay/redis.ts";
import { type StoreOptions, storeLayer } from "./store.ts";

export type { StoreOptions } from "./store.ts";

/** Where the issuer's keys are. */
export type SigningKeysOptions =
  | { readonly folder: string; readonly reloadMs?: number }
  | ReadonlyArray<SigningKey>
  | "memory";

/** Replay protection: its limits, and where uses are counted. */
export interface ReplayOptions extends ReplayLimits {
  /** Default `memory`: in this process. `store`: in the database of `store`. Or a connected client of the package `redis`. */
  readonly in?: "memory" | "store" | RedisClient;
}

/** Verifies an access token of a person; undefined or null rejects it. If it throws, the request is answered with 503. */
export type VerifyUser = (
  token: string,
  signal: AbortSignal,
) => Promise<VerifiedUser | null | undefined>;

/**
 * How a gateway is set up. Everything has a default: agents in memory, no issuer, no people, no replay protection. A store that
 * fails is a warning, at most one in ten seconds for each store.
 */
export interface GatewayOptions extends AuthenticationOptions, CallerOptions {
  /** Where agents and tasks are kept. Default: in memory. */
  readonly store?: StoreOptions;
  /** Mints identities. Default: no identities are minted. */
  readonly issuer?: IssuerOptions & { readonly keys: SigningKeysOptions };
  readonly replays?: ReplayOptions;
  /** Accepts access tokens of people as well. */
  readonly users?: OAuthUsersOptions | VerifyUser;
  /** Name of the protected space in `WWW-Authenticate`. Default `agent-auth`. */
  readonly realm?: string;
  /** How the endpoints behave. */
  readonly endpoints?: Omit<EndpointsOptions, "authorizeRegistration" | "realm" | "check"> & {
    /**
     * Returns the account for which a request registers an agent, or null to refuse. Default: the account of the person whose
     * access token is sent.
     */
    readonly authorizeRegistration?: (
      request: Request,
      signal: AbortSignal,
    ) => Promise<AgentAccount | null>;
  };
}

/** A minted identity; `jwt` contains the agent's private key. */
export interface MintedAgent extends Omit<MintedIdentity, "jwt"> {
  readonly jwt: string;
}

/** A gateway until it is closed. Its methods reject with the errors of `@agent-auth/gateway/errors`. */
export interface Gateway extends Authenticator, AsyncDisposable {
  /** Resolves with who sent a request; rejects with `RequestRejected`. */
  readonly authenticate: (credentials: Credentials) => Promise<Principal>;
  /** The response of an endpoint, or undefined if the path is not that of an endpoint. */
  readonly handle: (request: Request) => Promise<Response | undefined>;
  /** Mints an identity and registers its agent. Rejects with `TypeError` if there is no issuer. */
  readonly mint: (options: MintOptions) => Promise<MintedAgent>;
  /** Verifies a token of the issuer. */
  readonly verifyIdentity: (jwt: string) => Promise<Omit<VerifiedAgentIdentity, "key">>;
  /** The published keys of the issuer. */
  readonly jwks: () => Promise<PublishedJwks["document"]>;
  /** Adds a signing key, and removes old ones. */
  readonly rotate: () => Promise<Pick<SigningKey, "kid" | "activeFromMs">>;
  readonly findAgent: (agentRuntimeId: string) => Promise<RegisteredAgent | undefined>;
  /** Registers an agent whose key is known already. */
  readonly addAgent: (agent: RegisteredAgent) => Promise<void>;
  /**
   * Takes effect at once in this process, and in others once their cache has expired. Returns whether the agent was
   * known.
   */
  readonly revokeAgent: (agentRuntimeId: string) => Promise<boolean>;
  /** Revokes all agents of an account. Returns how many there were. */
  readonly revokeAccount: (accountId: string) => Promise<number>;
  readonly revokeTask: (task: TaskName) => Promise<boolean>;
  /** How many requests had each outcome so far. */
  readonly counts: () => Readonly<Partial<Record<Outcome, number>>>;
  /** The counters in Prometheus' text format. */
  readonly prometheus: () => Promise<string>;
  /** How much the caches hold. */
  readonly sizes: () => Promise<Readonly<Record<string, number>>>;
  readonly close: () => Promise<void>;
}

/** The result of a callback, whose own error may contain anything. */
const ask = <A>(call: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, StoreUnavailable> =>
  Effect.tryPromise({
    try: async (signal) => call(signal),
    catch: () => new StoreUnavailable({ store: "users", problem: "the callback failed" }),
  });

const usersLayer = ({ users }: GatewayOptions): Layer.Layer<never> => {
  if (users === undefined) return Layer.empty;
  if (typeof users !== "function") return layerOAuthUsers(users);
  const verify = Effect.fnUntraced(function* (token: string) {
    const user = yield* ask((signal) => users(token, signal));
    if (user === null || user === undefined)
      return yield* reject("invalid_token", "the bearer token is unknown");
    if (typeof user.subject !== "string" || !Array.isArray(user.scopes))
      return yield* new StoreUnavailable({ store: "users", problem: "it returned no user" });
    return user;
  });
  return Layer.succeed(UserTokens, { verify });
};

const keysLayer = (keys: SigningKeysOptions): Layer.Layer<SigningKeys> => {
  if (keys === "memory") return SigningKeys.layerMemory;
  return "folder" in keys ? SigningKeys.layerFolder(keys) : SigningKeys.layerStatic(keys);
};

type Sql = Layer.Layer<SqlClient, StoreUnavailable>;

const replaysLayer = async (
  { replays }: GatewayOptions,
  sql: Sql | undefined,
): Promise<Layer.Layer<never, StoreUnavailable>> => {
  if (replays === undefined) return Layer.empty;
  const { in: place = "memory", ...limits } = replays;
  if (place === "memory") return AssertionUses.layerMemory(limits);
  if (place !== "store") {
    const { layerRedisClient, layerReplayRedis } = await import("../replay/redis.ts");
    return Layer.provide(layerReplayRedis(limits), layerRedisClient(place));
  }
  if (sql === undefined) throw new TypeError('replays.in is "store", but the store is memory');
  const { layerReplaySql } = await import("../replay/sql.ts");
  return Layer.provide(layerReplaySql(limits), sql);
};

const registryLayer = async (
  sql: Sql | undefined,
): Promise<Layer.Layer<AgentRegistry, StoreUnavailable>> => {
  if (sql === undefined)
    return Layer.sync(AgentRegistry, () => AgentRegistry.of(makeMemoryRegistry().service));
  const { layerRegistrySql } = await import("../registry/sql.ts");
  const { layerMigrations } = await import("../sql/index.ts");
  return layerRegistrySql().pipe(Layer.provide(layerMigrations), Layer.provide(sql));
};

const endpointsOptions = ({ endpoints = {}, realm }: GatewayOptions): EndpointsOptions => {
  const { authorizeRegistration: authorize, source, ...rest } = endpoints;
  return {
    ...rest,
    // `serveEndpoints` sets the header, and drops what a client sends in it.
    source: source ?? ((request) => request.headers.get(sourceHeader) ?? undefined),
    ...(realm === undefined ? {} : { realm }),
    ...(authorize === undefined
      ? {}
      : {
          authorizeRegistration: (request: Request) =>
            Effect.flatMap(
              ask((signal) => authorize(request, signal)),
              (account) =>
                account === null
                  ? Effect.fail(reject("not_allowed", "the caller may not register agents"))
                  : Effect.succeed(account),
            ),
        }),
  };
};

type Services = AgentRegistry | Authentication | Endpoints | GatewayMetrics;

/** All services; `AgentIssuer` is among them if there is one. */
const makeLayer = async (
  options: GatewayOptions,
): Promise<Layer.Layer<Services, StoreUnavailable>> => {
  const sql = await storeLayer(options.store ?? { kind: "memory" });
  const stores = Layer.mergeAll(
    await registryLayer(sql),
    await replaysLayer(options, sql),
    usersLayer(options),
    // The metrics of this gateway only: Effect's registry is one for the whole process.
    Layer.provide(
      GatewayMetrics.layer,
      Layer.sync(Metric.MetricRegistry, () => new Map()),
    ),
  );
  const { issuer } = options;
  const issuing: Layer.Layer<never, never, AgentRegistry> =
    issuer === undefined
      ? Layer.empty
      : Layer.provide(AgentIssuer.layer(issuer), keysLayer(issuer.keys));
  const authentication = Layer.merge(Authentication.layer(options), issuing);
  return Endpoints.layer(endpointsOptions(options)).pipe(
    Layer.provideMerge(authentication),
    Layer.provideMerge(stores),
    Layer.provideMerge(callerLayer(options)),
  );
};

/**
 * Creates a gateway: what a backend needs to accept agents. Rejects with `StoreUnavailable` if the database cannot be reached,
 * and with `TypeError` or `RangeError` for an option of the wrong type or range. Close it after its last call.
 *
 * @example
 * ```ts
 * import { createGateway } from "@agent-auth/gateway/promises";
 *
 * await using gateway = await createGateway({
 *   issuer: { issuer: "https://codex.example", keys: "memory" },
 * });
 * const { jwt } = await gateway.mint({ account: { accountId: "account-123" } });
 * const { record } = await gateway.verifyIdentity(jwt);
 * record.accountId; // "account-123"
 * ```
 */
export const createGateway = async (options: GatewayOptions = {}): Promise<Gateway> => {
  const runtime = ManagedRuntime.make(await makeLayer(options));
  const services = await runtime.context().catch(async (error: unknown) => {
    await runtime.dispose();
    throw error;
  });
  const authentication = Context.get(services, Authentication);
  const registry = Context.get(services, AgentRegistry);
  const endpoints = Context.get(services, Endpoints);
  const metrics = Context.get(services, GatewayMetrics);
  let isClosed = false;
  const run = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
    if (isClosed) throw new GatewayClosed();
    return runtime.runPromise(effect);
  };
  const issuer = (): AgentIssuer["Service"] => {
    const found = Option.getOrUndefined(Context.getOption(services, AgentIssuer));
    if (found === undefined) throw new TypeError("this gateway has no issuer");
    return found;
  };
  const forgetting = <A>(work: Effect.Effect<A, StoreUnavailable>, id?: string) =>
    run(Effect.tap(work, () => Effect.sync(() => authentication.forget(id))));
  const realm = options.realm === undefined ? {} : { realm: options.realm };
  const authenticator = authenticatorOf(authentication, { ...realm, context: services });
  const closed = reject("store_unavailable", "the server is shutting down", 1000);
  const close = async () => {
    isClosed = true;
    await runtime.dispose();
  };
  return {
    decide: (credentials) => (isClosed ? closed : authenticator.decide(credentials)),
    reject: authenticator.reject,
    authenticate: async (credentials) => {
      const decision = await (isClosed ? closed : authenticator.decide(credentials));
      if (decision instanceof RequestRejected) throw decision;
      return decision;
    },
    handle: (request) => run(endpoints.handle(request)),
    mint: async (wanted) => {
      const minted = await run(issuer().mint(wanted));
      return { ...minted, jwt: Redacted.value(minted.jwt) };
    },
    verifyIdentity: async (jwt) => {
      const { key: _, ...identity } = await run(issuer().verify(jwt));
      return identity;
    },
    jwks: async () => (await run(issuer().jwks)).document,
    rotate: async () => run(issuer().rotate),
    findAgent: async (id) => Option.getOrUndefined(await run(registry.findAgent(id))),
    addAgent: (agent) => run(registry.addAgent(agent)),
    revokeAgent: (id) => forgetting(registry.revokeAgent(id), id),
    revokeAccount: (id) => forgetting(registry.revokeAccount(id)),
    revokeTask: (task) => forgetting(registry.revokeTask(task), task.agentRuntimeId),
    counts: metrics.counts,
    prometheus: () => run(metrics.prometheus),
    sizes: () => run(authentication.sizes),
    close,
    [Symbol.asyncDispose]: close,
  };
};
