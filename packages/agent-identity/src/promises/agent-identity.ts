import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as Struct from "effect/Struct";
import { type AgentBillOfMaterials, registerAgent } from "../agent-registration.ts";
import { mintBiscuit } from "../biscuit.ts";
import { layer as transportLayer, type UndiciTransportOptions } from "../http-transport-undici.ts";
import { JwksSource } from "../jwks.ts";
import { type CachedJwks, JwksCache } from "../jwks-cache.ts";
import { layer as remoteJwksLayer, type RemoteJwksOptions } from "../jwks-remote.ts";
import {
  type AgentIdentityJwtHeader,
  decodeUnverifiedAgentIdentityJwt,
  verifyAgentIdentityJwt,
  type VerifyJwtOptions,
} from "../jwt.ts";
import { type AgentKey, importAgentKey } from "../keys.ts";
import type { AgentIdentityRecord } from "../record.ts";
import { AgentTasks } from "../task.ts";
import type { BaseUrlOptions } from "../urls.ts";
import { makePromiseRuntime } from "../internal/promise-runtime.ts";
import type { CallOptions } from "./call-options.ts";

/** Keeps fetched sets longer than the process lives. Where it fails, it holds nothing: sets are fetched then. */
interface JwksStore {
  readonly load: (url: string) => Promise<CachedJwks | null>;
  readonly save: (url: string, entry: CachedJwks) => Promise<void>;
}

export interface AgentIdentityClientOptions {
  readonly http: UndiciTransportOptions;
  /** Where keys come from: an endpoint, or a set given as parsed JSON. */
  readonly jwks: RemoteJwksOptions | { readonly keys: ReadonlyArray<unknown> };
  readonly jwksStore?: JwksStore;
}

/** Who an agent is, without its private key. */
export type AgentProfile = Omit<AgentIdentityRecord, "privateKey">;

/** A verified token, its key imported. */
export interface VerifiedAgent {
  readonly agent: AgentProfile;
  readonly key: AgentKey;
  readonly kid: string;
  readonly issuer: string;
  readonly audience: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
  readonly issuedAtMs?: number;
}

/** A token taken apart; nothing of it was verified. */
export interface UnverifiedAgent {
  readonly header: AgentIdentityJwtHeader;
  readonly unverifiedAgent: AgentProfile;
  readonly expiresAtMs: number;
}

/** Whose task is wanted, and where it is registered. */
export interface PlainTaskIdentity {
  readonly agent: Pick<AgentProfile, "agentRuntimeId" | "taskId">;
  readonly key: AgentKey;
  /** Normalised base of the task API. */
  readonly taskApiBaseUrl: string;
  /** The signed-in user's biscuit, sent with the registration. */
  readonly biscuit?: string;
}

const withoutKey = (record: AgentIdentityRecord): AgentProfile =>
  Struct.omit(record, ["privateKey"]);

const sourceLayer = ({ jwks }: AgentIdentityClientOptions) =>
  "url" in jwks ? remoteJwksLayer(jwks) : JwksSource.layerStatic(jwks);

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

const orNull = <A>(ask: () => Promise<A>): Effect.Effect<A | null> =>
  Effect.orElseSucceed(Effect.tryPromise(ask), () => null);

const layerFrom = (options: AgentIdentityClientOptions) =>
  Layer.mergeAll(Layer.provide(sourceLayer(options), cacheLayer(options)), AgentTasks.layer).pipe(
    Layer.provideMerge(transportLayer(options.http)),
  );

const taskIdentity = ({ agent, biscuit, ...rest }: PlainTaskIdentity) => ({
  ...rest,
  record: agent,
  ...(biscuit === undefined ? {} : { biscuit: Effect.succeed(Redacted.make(biscuit)) }),
});

const verifyAndImport = Effect.fnUntraced(function* (jwt: string, options?: VerifyJwtOptions) {
  const { record, ...facts } = yield* verifyAgentIdentityJwt(jwt, options);
  const key = yield* importAgentKey(record.privateKey);
  return { agent: withoutKey(record), key, ...facts } satisfies VerifiedAgent;
});

const decode = Effect.fnUntraced(function* (jwt: string) {
  const { unverifiedRecord, ...facts } = yield* decodeUnverifiedAgentIdentityJwt(jwt);
  return { unverifiedAgent: withoutKey(unverifiedRecord), ...facts } satisfies UnverifiedAgent;
});

/** Of whom, with which bill of materials, in which design an agent is registered. */
interface PlainRegistration extends BaseUrlOptions {
  readonly baseUrl: string;
  readonly key: AgentKey;
  readonly billOfMaterials: AgentBillOfMaterials;
  readonly authorization: { readonly biscuit: string } | { readonly accessToken: string };
}

const register = ({ authorization, ...rest }: PlainRegistration) =>
  "biscuit" in authorization
    ? registerAgent({ ...rest, design: "first", biscuit: Redacted.make(authorization.biscuit) })
    : registerAgent({
        ...rest,
        design: "current",
        accessToken: Redacted.make(authorization.accessToken),
      });

interface PlainBiscuitRequest extends BaseUrlOptions {
  readonly baseUrl: string;
  readonly accessToken: string;
  readonly originalMethod: string;
  readonly originalUrl: string;
}

/**
 * Everything that an agent's program needs, behind one `close()`. Methods share the JWKS and the tasks, so keep the client
 * for as long as the process lives.
 */
export const createAgentIdentity = (options: AgentIdentityClientOptions) => {
  const { run, close } = makePromiseRuntime(layerFrom(options));
  return {
    /** Verifies a token and imports its key. Rejects with `JwtVerificationError`, `JwksError` or `AgentKeyMalformed`. */
    verifyAgentIdentityJwt: (
      jwt: string,
      expected?: VerifyJwtOptions,
      call?: CallOptions,
    ): Promise<VerifiedAgent> => run(verifyAndImport(jwt, expected), call),
    /** Reads a token without trusting it, and without the network. */
    decodeUnverifiedAgentIdentityJwt: (jwt: string): Promise<UnverifiedAgent> =>
      Effect.runPromise(decode(jwt)),
    /** The identity's task id, registered at most once however many callers. Rejects with `AgentTaskError`. */
    task: (identity: PlainTaskIdentity, call?: CallOptions): Promise<string> =>
      run(
        AgentTasks.use((tasks) => tasks.task(taskIdentity(identity))),
        call,
      ),
    /** After a 401: another task than the failed one. */
    renewTask: (
      identity: PlainTaskIdentity,
      failedTaskId: string,
      call?: CallOptions,
    ): Promise<string> =>
      run(
        AgentTasks.use((tasks) => tasks.renew(taskIdentity(identity), failedTaskId)),
        call,
      ),
    /** Mints a biscuit for a signed-in user. Rejects with `BiscuitError`. */
    mintBiscuit: (
      { accessToken, ...request }: PlainBiscuitRequest,
      call?: CallOptions,
    ): Promise<string> =>
      run(
        Effect.map(
          mintBiscuit({ ...request, accessToken: Redacted.make(accessToken) }),
          Redacted.value,
        ),
        call,
      ),
    /** Registers an agent's public key; its runtime id. Rejects with `AgentRegistrationError`. */
    registerAgent: (registration: PlainRegistration, call?: CallOptions): Promise<string> =>
      run(register(registration), call),
    close,
    [Symbol.asyncDispose]: close,
  };
};

export type AgentIdentityClient = ReturnType<typeof createAgentIdentity>;
