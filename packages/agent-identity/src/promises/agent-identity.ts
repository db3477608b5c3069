import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { layer as transportLayer, type UndiciTransportOptions } from "../http/undici.ts";
import { JwksSource } from "../jwks/index.ts";
import { type CachedJwks, JwksCache } from "../jwks/cache.ts";
import { layer as remoteJwksLayer, type RemoteJwksOptions } from "../jwks/remote.ts";
import type { VerifyJwtOptions } from "../jwt/index.ts";
import { AgentTasks } from "../tasks/index.ts";
import { makePromiseRuntime } from "./runtime.ts";
import {
  decodeUnverifiedAgent,
  type UnverifiedAgent,
  type VerifiedAgent,
  verifyAgent,
} from "./agent.ts";
import type { CallOptions } from "./call-options.ts";
import {
  type AgentRegistrationRequest,
  type BiscuitRequest,
  mint,
  register,
  taskIdentity,
  type TaskRequest,
} from "./requests.ts";

/**
 * Keeps fetched sets longer than the process lives; what it keeps decides who is believed. Where it fails, it holds
 * nothing: sets are fetched then.
 */
export interface JwksStore {
  /** The last set saved for a URL, or null. */
  readonly load: (url: string) => Promise<CachedJwks | null>;
  readonly save: (url: string, entry: CachedJwks) => Promise<void>;
}

/** What a client reaches the network with, and whom it believes. */
export interface AgentIdentityClientOptions {
  readonly http: UndiciTransportOptions;
  /** Where keys come from: an endpoint, whose URL `jwksUrl` makes, or a set given as parsed JSON. */
  readonly jwks: RemoteJwksOptions | { readonly keys: ReadonlyArray<unknown> };
  /** Of an endpoint's sets. Absent, they are kept as long as the client. */
  readonly jwksStore?: JwksStore;
}

const sourceLayer = ({ jwks }: AgentIdentityClientOptions) =>
  "url" in jwks ? remoteJwksLayer(jwks) : JwksSource.layerStatic(jwks);

const orNull = <A>(ask: () => Promise<A>): Effect.Effect<A | null> =>
  Effect.orElseSucceed(Effect.tryPromise(ask), () => null);

const cacheLayer = ({ jwksStore: store }: AgentIdentityClientOptions) =>
  store === undefined
    ? Layer.empty
    : Layer.succeed(JwksCache, {
        load: (url) =>
          Effect.map(
            orNull(() => store.load(url)),
            Option.fromNullishOr,
          ),
        save: (url, entry) => Effect.asVoid(orNull(() => store.save(url, entry))),
      });

const layerFrom = (options: AgentIdentityClientOptions) =>
  Layer.mergeAll(Layer.provide(sourceLayer(options), cacheLayer(options)), AgentTasks.layer).pipe(
    Layer.provideMerge(transportLayer(options.http)),
  );

/**
 * Everything that an agent's program needs, behind one `close()`. Methods share the JWKS and the tasks, so keep the client
 * for as long as the process lives. Times of `jwks` that are none throw `TypeError` or `RangeError` here.
 */
export const createAgentIdentity = (options: AgentIdentityClientOptions) => {
  const { run, close } = makePromiseRuntime(layerFrom(options));
  return {
    /** Verifies a token and imports its key. Rejects with `JwtVerificationError`, `JwksError` or `AgentKeyMalformed`. */
    verifyAgentIdentityJwt: (
      jwt: string,
      expected?: VerifyJwtOptions,
      call?: CallOptions,
    ): Promise<VerifiedAgent> => run(verifyAgent(jwt, expected), call),
    /** Reads a token without trusting it, and without the network. Rejects with `JwtVerificationError`. */
    decodeUnverifiedAgentIdentityJwt: (jwt: string): Promise<UnverifiedAgent> =>
      Effect.runPromise(decodeUnverifiedAgent(jwt)),
    /** The identity's task id, registered at most once however many callers. Rejects with `AgentTaskError`. */
    task: (identity: TaskRequest, call?: CallOptions): Promise<string> =>
      run(
        AgentTasks.use((tasks) => tasks.task(taskIdentity(identity))),
        call,
      ),
    /** After a 401: another task than the failed one. Rejects with `AgentTaskError`. */
    renewTask: (identity: TaskRequest, failedTaskId: string, call?: CallOptions): Promise<string> =>
      run(
        AgentTasks.use((tasks) => tasks.renew(taskIdentity(identity), failedTaskId)),
        call,
      ),
    /** Mints a biscuit for a signed-in user: a secret, in clear. Rejects with `BiscuitError`. */
    mintBiscuit: (request: BiscuitRequest, call?: CallOptions): Promise<string> =>
      run(Effect.map(mint(request), Redacted.value), call),
    /** Registers an agent's public key; its runtime id. Rejects with `AgentRegistrationError`. */
    registerAgent: (request: AgentRegistrationRequest, call?: CallOptions): Promise<string> =>
      run(register(request), call),
    close,
    [Symbol.asyncDispose]: close,
  };
};

/** What `createAgentIdentity` returns. */
export type AgentIdentityClient = ReturnType<typeof createAgentIdentity>;
