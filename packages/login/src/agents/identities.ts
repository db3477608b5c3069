import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import { HttpTransport } from "@agent-auth/agent-identity/http";
import { JwksSource } from "@agent-auth/agent-identity/jwks";
import { JwksCache } from "@agent-auth/agent-identity/jwks/cache";
import * as JwksRemote from "@agent-auth/agent-identity/jwks/remote";
import { verifyAgentIdentityJwt, type VerifiedAgentIdentity } from "@agent-auth/agent-identity/jwt";
import { type AgentKey, importAgentKey } from "@agent-auth/agent-identity/keys";
import {
  parseStoredAgentIdentity,
  type AgentIdentityRecord,
} from "@agent-auth/agent-identity/record";
import { AgentTasks, type AgentTaskIdentity } from "@agent-auth/agent-identity/tasks";
import { jwksUrl, taskApiBaseUrl } from "@agent-auth/agent-identity/urls";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import type * as Redacted from "effect/Redacted";
import * as Scope from "effect/Scope";
import { recordFields, type StoredAgentIdentity } from "../storage/auth-json/index.ts";
import type { Config } from "../config/index.ts";
import type { LoginEnvironment } from "../config/environment.ts";
import type { Account, AgentIdentityCredential, CredentialSource } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";
import { NetworkKey } from "../http/network-key.ts";
import { compact } from "../internal/compact.ts";

// Loaded only if a source holds an agent identity.

type StoredRecord = Extract<StoredAgentIdentity, { readonly _tag: "Record" }>;

/** An agent identity whose task has not been registered. */
export type AgentIdentityFacts = Omit<AgentIdentityCredential, "signer">;

/** Loads agent identities. They share one JWKS and, per identity, one task. */
export interface AgentIdentities {
  /** Verifies the token with the JWKS of the configured base. Sends nothing if the token is malformed. */
  readonly verify: (jwt: Redacted.Redacted) => Effect.Effect<VerifiedAgentIdentity, LoginError>;
  /** Verifies the token, then registers the task unless that was done before. */
  readonly fromJwt: (
    jwt: Redacted.Redacted,
    source: CredentialSource,
  ) => Effect.Effect<AgentIdentityCredential, LoginError>;
  /** Loads a record that a sign-in on this machine stored: nothing is verified, and a stored task is used as it is. */
  readonly fromRecord: (
    stored: StoredRecord,
    source: CredentialSource,
  ) => Effect.Effect<AgentIdentityCredential, LoginError>;
  /** As `fromJwt`, but registers no task. */
  readonly factsOfJwt: (
    jwt: Redacted.Redacted,
    source: CredentialSource,
  ) => Effect.Effect<AgentIdentityFacts, LoginError>;
  /** As `fromRecord`, but registers no task. */
  readonly factsOfRecord: (
    stored: StoredRecord,
    source: CredentialSource,
  ) => Effect.Effect<AgentIdentityFacts, LoginError>;
  /** Returns the identity with a new task, after a server rejected its task. */
  readonly withFreshTask: (
    rejected: AgentIdentityCredential,
  ) => Effect.Effect<AgentIdentityCredential, LoginError>;
}

export interface AgentIdentitiesOptions {
  readonly config: Pick<Config, "chatgptBaseUrl">;
  readonly environment: Pick<
    LoginEnvironment,
    "agentIdentityAuthApiBaseUrl" | "agentIdentityJwksBaseUrl"
  >;
  readonly verification?: { readonly issuer?: string; readonly audience?: string };
  readonly allowInsecureHttp?: boolean;
  readonly taskApiBaseUrl?: string;
  readonly jwksMaxStaleMs?: number;
  /** Folder for a cached JWKS; absent: in memory only. */
  readonly jwksCacheHome?: string;
}

/**
 * Agent identities with their own JWKS and tasks. A `JwksCache` or `AgentTasks` in the context is used instead: that
 * is how managers share them.
 */
export const makeAgentIdentities = Effect.fnUntraced(function* (
  options: AgentIdentitiesOptions,
): Effect.fn.Return<AgentIdentities, LoginError, HttpTransport | Scope.Scope> {
  const tasks = yield* agentTasks;
  const taskApi = yield* taskApiBase(options);
  // The JWKS is built with the services of the manager's layer, not with those of the first caller.
  const context = yield* Effect.context<HttpTransport | Scope.Scope>();
  const jwks = yield* Effect.cached(Effect.provideContext(jwksSource(options), context));

  const verify = Effect.fn("login.verifyAgentIdentityJwt")(function* (jwt: Redacted.Redacted) {
    const source = yield* jwks;
    return yield* Effect.provideService(
      verifyAgentIdentityJwt(jwt, options.verification),
      JwksSource,
      source,
    );
  });
  const withTask = Effect.fnUntraced(function* (facts: AgentIdentityFacts, key: AgentKey) {
    const identity = { record: facts.record, key, taskApiBaseUrl: taskApi };
    return { ...facts, signer: signerOf(identity, yield* tasks.task(identity)) };
  });

  return {
    verify,
    factsOfJwt: (jwt, source) =>
      Effect.map(verify(jwt), (verified) => factsOfVerified(verified, source)),
    factsOfRecord,
    fromJwt: Effect.fn("login.loadAgentIdentityJwt")(function* (jwt, source) {
      const verified = yield* verify(jwt);
      return yield* withTask(factsOfVerified(verified, source), verified.key);
    }),
    fromRecord: Effect.fn("login.loadAgentIdentityRecord")(function* (stored, source) {
      const facts = yield* factsOfRecord(stored, source);
      return yield* withTask(facts, yield* importAgentKey(facts.record.privateKey));
    }),
    withFreshTask: Effect.fn("login.registerFreshTask")(function* (rejected) {
      const key = yield* importAgentKey(rejected.record.privateKey);
      const identity = { record: rejected.record, key, taskApiBaseUrl: taskApi };
      const taskId = yield* tasks.replace(identity, rejected.signer.taskId);
      return { ...rejected, signer: signerOf(identity, taskId) };
    }),
  };
});

const factsOfVerified = (
  { expiresAtMs, record }: VerifiedAgentIdentity,
  source: CredentialSource,
): AgentIdentityFacts => ({ ...factsOf(record, source), form: "jwt", expiresAtMs });

const factsOfRecord: AgentIdentities["factsOfRecord"] = (stored, source) =>
  Effect.map(parseStoredAgentIdentity(recordFields(stored)), (record) => factsOf(record, source));

const agentTasks = Effect.gen(function* () {
  const given = yield* Effect.serviceOption(AgentTasks);
  if (Option.isSome(given)) return given.value;
  return Context.get(yield* Layer.build(AgentTasks.layer), AgentTasks);
});

/** Returns the account of an agent. */
export const accountOfAgent = (record: AgentIdentityRecord): Account =>
  compact({
    accountId: record.accountId,
    userId: record.chatgptUserId,
    email: record.email,
    planType: record.planType,
    isFedrampAccount: record.isFedrampAccount,
  });

/** An identity whose key has been imported. */
interface ImportedIdentity extends AgentTaskIdentity {
  readonly record: AgentIdentityRecord;
}

const factsOf = (record: AgentIdentityRecord, source: CredentialSource): AgentIdentityFacts => ({
  _tag: "AgentIdentity",
  form: "record",
  record,
  account: accountOfAgent(record),
  source,
});

const signerOf = ({ key, record }: ImportedIdentity, taskId: string) =>
  makeAssertionSigner({ key, agentRuntimeId: record.agentRuntimeId, taskId });

const taskApiBase = (options: AgentIdentitiesOptions) =>
  taskApiBaseUrl(
    compact({
      chatgptBaseUrl: options.config.chatgptBaseUrl,
      override: options.taskApiBaseUrl ?? options.environment.agentIdentityAuthApiBaseUrl,
    }),
    compact({ allowInsecureHttp: options.allowInsecureHttp }),
  );

/** Built for the first JWT: a stored record needs no JWKS, so a base URL that has none does not matter to it. */
const jwksSource = Effect.fnUntraced(function* (options: AgentIdentitiesOptions) {
  const base = options.environment.agentIdentityJwksBaseUrl ?? options.config.chatgptBaseUrl;
  const allow = compact({ allowInsecureHttp: options.allowInsecureHttp });
  const url = yield* jwksUrl(base, allow);
  const maxStale = compact({ maxStaleMs: options.jwksMaxStaleMs });
  const remote = JwksRemote.layer({ url, ...allow, ...maxStale });
  const cache = yield* jwksCache(options);
  const services = yield* Layer.build(
    cache === undefined ? remote : Layer.provide(remote, Layer.succeed(JwksCache, cache)),
  );
  return Context.get(services, JwksSource);
});

const jwksCache = Effect.fnUntraced(function* ({ jwksCacheHome }: AgentIdentitiesOptions) {
  const given = yield* Effect.serviceOption(JwksCache);
  if (Option.isSome(given) || jwksCacheHome === undefined) return Option.getOrUndefined(given);
  const network = Option.getOrUndefined(yield* Effect.serviceOption(NetworkKey));
  const { layer } = yield* Effect.promise(() => import("./jwks-cache-file.ts"));
  const services = yield* Layer.build(layer(compact({ codexHome: jwksCacheHome, network })));
  return Context.get(services, JwksCache);
});
