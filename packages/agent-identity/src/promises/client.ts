import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import { layer as transportLayer, type UndiciTransportOptions } from "../http/undici.ts";
import { type CachedJwks, JwksCache } from "../jwks/cache.ts";
import { JwksSource } from "../jwks/index.ts";
import { layer as remoteJwksLayer, type RemoteJwksOptions } from "../jwks/remote.ts";
import type { VerifyJwtOptions } from "../jwt/index.ts";
import { AgentTasks } from "../tasks/index.ts";
import {
  decodeUnverifiedAgent,
  type UnverifiedAgent,
  type VerifiedAgent,
  verifyAgent,
} from "./agent.ts";
import {
  type AgentRegistrationRequest,
  type BiscuitRequest,
  mint,
  register,
  taskIdentity,
  type TaskRequest,
} from "./requests.ts";
import { type CallOptions, makePromiseRuntime } from "./runtime.ts";

/**
 * Caches fetched JWKS beyond the life of the process. Its contents decide which tokens are trusted: only the user may be
 * able to write them. If it fails or returns something that is not an entry, the JWKS is fetched.
 */
export interface JwksStore {
  /** The JWKS last saved for a URL, or null. */
  readonly load: (url: string) => Promise<CachedJwks | null>;
  readonly save: (url: string, entry: CachedJwks) => Promise<void>;
}

/** How a client reaches the network, and which keys it trusts. */
export interface AgentIdentityClientOptions {
  readonly http: UndiciTransportOptions;
  /** Where keys come from: an endpoint, whose URL `jwksUrl` returns, or a JWKS given as parsed JSON. */
  readonly jwks: RemoteJwksOptions | { readonly keys: ReadonlyArray<unknown> };
  /** Caches the JWKS of an endpoint. Without one, it is kept for the life of the client. */
  readonly jwksStore?: JwksStore;
}

const sourceLayer = ({ jwks }: AgentIdentityClientOptions) =>
  "url" in jwks ? remoteJwksLayer(jwks) : JwksSource.layerStatic(jwks);

const orNull = <A>(call: () => Promise<A>): Effect.Effect<A | null> =>
  Effect.orElseSucceed(
    Effect.tryPromise(async () => call()),
    () => null,
  );

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
 * Creates a client with everything that an agent's program needs. Its methods share one JWKS and the tasks, so keep it for
 * the life of the process, and close it at the end. Throws `TypeError` or `RangeError` if a time of `jwks` has the wrong
 * type or range.
 *
 * @example
 * ```ts
 * import { createAgentIdentity, jwksUrl } from "@agent-auth/agent-identity/promises";
 *
 * await using client = createAgentIdentity({
 *   http: { originator: "my_agent", userAgent: "my-agent/1.0" },
 *   jwks: { url: await jwksUrl("https://chatgpt.com/backend-api") },
 * });
 * const message = await client.verifyAgentIdentityJwt("not.a.jwt").then(
 *   ({ agent }) => `signed in as ${agent.accountId}`,
 *   (error) => `${error.message}. ${error.hint}`,
 * );
 * ```
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
    /** Decodes a token without verifying it and without any request. Rejects with `JwtVerificationError`. */
    decodeUnverifiedAgentIdentityJwt: (jwt: string): Promise<UnverifiedAgent> =>
      Effect.runPromise(decodeUnverifiedAgent(jwt)),
    /** Returns the identity's task id, registered once however many callers need it. Rejects with `AgentTaskError`. */
    task: (identity: TaskRequest, call?: CallOptions): Promise<string> =>
      run(
        AgentTasks.use((tasks) => tasks.task(taskIdentity(identity))),
        call,
      ),
    /** Returns a task other than the one that a 401 rejected. Rejects with `AgentTaskError`. */
    replaceTask: (
      identity: TaskRequest,
      rejectedTaskId: string,
      call?: CallOptions,
    ): Promise<string> =>
      run(
        AgentTasks.use((tasks) => tasks.replace(taskIdentity(identity), rejectedTaskId)),
        call,
      ),
    /** Mints a biscuit for a signed-in user: a secret in plain text. Rejects with `BiscuitError`. */
    mintBiscuit: (request: BiscuitRequest, call?: CallOptions): Promise<string> =>
      run(Effect.map(mint(request), Redacted.value), call),
    /** Registers an agent's public key; returns its agent runtime id. Rejects with `AgentRegistrationError`. */
    registerAgent: (request: AgentRegistrationRequest, call?: CallOptions): Promise<string> =>
      run(register(request), call),
    close,
    [Symbol.asyncDispose]: close,
  };
};

/** What `createAgentIdentity` returns. */
export type AgentIdentityClient = ReturnType<typeof createAgentIdentity>;
