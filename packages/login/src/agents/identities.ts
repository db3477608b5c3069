import { makeAssertionSigner } from "@agent-auth/agent-identity/assertion";
import { HttpTransport } from "@agent-auth/agent-identity/http";
import { JwksSource } from "@agent-auth/agent-identity/jwks";
import { verifyAgentIdentityJwt, type VerifiedAgentIdentity } from "@agent-auth/agent-identity/jwt";
import { importAgentKey } from "@agent-auth/agent-identity/keys";
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
import type { Account, AgentIdentityCredential, CredentialSource } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import type { AuthManagerOptions } from "../manager/types.ts";
import { codexHomeOf } from "../manager/open-ephemeral-store.ts";
import { sharedJwks } from "./shared-jwks.ts";

// Loaded when a source holds an agent identity, not before.

type StoredRecord = Extract<StoredAgentIdentity, { readonly _tag: "Record" }>;

/** Agent identities of one manager. They share one JWKS and, per identity, one task. */
export interface AgentIdentities {
  /** Checks the token's shape without any request, then verifies it with the JWKS of the configured base. */
  readonly verify: (jwt: Redacted.Redacted) => Effect.Effect<VerifiedAgentIdentity, LoginError>;
  /** Verifies the token, then registers the task unless this process has it. */
  readonly fromJwt: (
    jwt: Redacted.Redacted,
    source: CredentialSource,
  ) => Effect.Effect<AgentIdentityCredential, LoginError>;
  /** A sign-in on this machine wrote the record, so nothing is verified; a stored task is used as it is. */
  readonly fromRecord: (
    stored: StoredRecord,
    source: CredentialSource,
  ) => Effect.Effect<AgentIdentityCredential, LoginError>;
  /** The same identity with another task than the one that a 401 came back for. */
  readonly withFreshTask: (
    rejected: AgentIdentityCredential,
  ) => Effect.Effect<AgentIdentityCredential, LoginError>;
}

type AgentOptions = Pick<
  AuthManagerOptions,
  | "allowInsecureHttp"
  | "codexHome"
  | "config"
  | "environment"
  | "jwksMaxStaleMs"
  | "keepJwksOnDisk"
  | "taskApiBaseUrl"
  | "verification"
>;

export const makeAgentIdentities = Effect.fnUntraced(function* (
  options: AgentOptions,
): Effect.fn.Return<AgentIdentities, LoginError, HttpTransport | Scope.Scope> {
  const tasks = yield* agentTasks;
  const taskApi = yield* taskApiBase(options);
  // What the manager's layer was given, a cache or a network's name among it: whoever asks first may not have it.
  const context = yield* Effect.context<HttpTransport | Scope.Scope>();
  const jwks = yield* Effect.cached(Effect.provideContext(jwksSource(options), context));

  const identityOf = Effect.fnUntraced(function* (record: AgentIdentityRecord) {
    const key = yield* importAgentKey(record.privateKey);
    return { record, key, taskApiBaseUrl: taskApi };
  });

  const verify = (jwt: Redacted.Redacted) =>
    Effect.flatMap(jwks, (source) =>
      Effect.provideService(verifyAgentIdentityJwt(jwt, options.verification), JwksSource, source),
    );

  return {
    verify,
    fromJwt: Effect.fn("login.loadAgentIdentityJwt")(function* (jwt, source) {
      const { record, key, expiresAtMs } = yield* verify(jwt);
      const identity = { record, key, taskApiBaseUrl: taskApi };
      const taskId = yield* tasks.task(identity);
      return { ...agentCredential(identity, taskId, source), form: "jwt", expiresAtMs };
    }),
    fromRecord: Effect.fn("login.loadAgentIdentityRecord")(function* (stored, source) {
      const identity = yield* identityOf(yield* parseStoredAgentIdentity(recordFields(stored)));
      const taskId = yield* tasks.task(identity);
      return agentCredential(identity, taskId, source);
    }),
    withFreshTask: Effect.fn("login.renewAgentTask")(function* (rejected) {
      const identity = yield* identityOf(rejected.record);
      const taskId = yield* tasks.replace(identity, rejected.signer.taskId);
      return { ...rejected, signer: signerOf(identity, taskId) };
    }),
  };
});

/** The `AgentTasks` service that the layer is given, to share tasks between managers; else the manager's own. */
const agentTasks = Effect.gen(function* () {
  const given = yield* Effect.serviceOption(AgentTasks);
  if (Option.isSome(given)) return given.value;
  return Context.get(yield* Layer.build(AgentTasks.layer), AgentTasks);
});

/** Who an agent speaks for. */
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

const agentCredential = (
  identity: ImportedIdentity,
  taskId: string,
  source: CredentialSource,
): AgentIdentityCredential => ({
  _tag: "AgentIdentity",
  form: "record",
  record: identity.record,
  account: accountOfAgent(identity.record),
  signer: signerOf(identity, taskId),
  source,
});

const signerOf = ({ key, record }: ImportedIdentity, taskId: string) =>
  makeAssertionSigner({ key, agentRuntimeId: record.agentRuntimeId, taskId });

const taskApiBase = (options: AgentOptions) =>
  taskApiBaseUrl(
    compact({
      chatgptBaseUrl: options.config.chatgptBaseUrl,
      override: options.taskApiBaseUrl ?? options.environment.agentIdentityAuthApiBaseUrl,
    }),
    compact({ allowInsecureHttp: options.allowInsecureHttp }),
  );

/** Records need no JWKS, so a base that gives none is in nobody's way before a JWT comes. */
const jwksSource = Effect.fnUntraced(function* (options: AgentOptions) {
  const base = options.environment.agentIdentityJwksBaseUrl ?? options.config.chatgptBaseUrl;
  const allow = compact({ allowInsecureHttp: options.allowInsecureHttp });
  const url = yield* jwksUrl(base, allow);
  const maxStale = compact({ maxStaleMs: options.jwksMaxStaleMs });
  const folder = options.keepJwksOnDisk === true ? codexHomeOf(options).path : undefined;
  return yield* sharedJwks({ url, ...allow, ...maxStale }, folder);
});
