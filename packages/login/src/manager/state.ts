import * as Effect from "effect/Effect";
import * as Equal from "effect/Equal";
import * as Option from "effect/Option";
import * as PubSub from "effect/PubSub";
import * as Redacted from "effect/Redacted";
import type * as Scope from "effect/Scope";
import * as Stream from "effect/Stream";
import { dueAtMs } from "../credential/expiry.ts";
import type { AgentIdentityCredential, Credential } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";

export type MaybeCredential = Option.Option<Credential>;

/** The last refresh of the current credential, which failed. */
export interface RefreshFailure {
  readonly error: LoginError;
  /** How many failed in a row. */
  readonly count: number;
  readonly endedAtMs: number;
  /** Milliseconds since the epoch before which no refresh is attempted, unless a caller demands one. */
  readonly retryAtMs: number;
  /** Whether a caller has received the error. */
  readonly isReported: boolean;
}

export type ManagerState =
  | { readonly _tag: "Unloaded" }
  | {
      readonly _tag: "Loaded";
      readonly credential: MaybeCredential;
      /** What `current` is until `dueAtMs`. Made once, since a request of a warm manager should cost nothing. */
      readonly result: Effect.Effect<MaybeCredential>;
      readonly dueAtMs: number;
      readonly failure?: RefreshFailure;
    }
  | { readonly _tag: "Failed"; readonly error: LoginError };

/**
 * The credential of a manager. Loads and refreshes run concurrently with logins, so each remembers the `version` it
 * started from: an outcome is dropped if the state has changed since.
 */
export interface CredentialState {
  readonly get: () => ManagerState;
  /** Increases with every change. */
  readonly version: () => number;
  /** Invalidates loads and refreshes that are running; returns the new version. */
  readonly invalidate: () => number;
  /** Makes this the current credential, unless the state has changed since `version`. */
  readonly accept: (credential: MaybeCredential, version?: number) => void;
  readonly fail: (error: LoginError, version?: number) => void;
  /** Forgets the outcome of the last load. */
  readonly unload: () => void;
  /** Keeps the current credential, and changes when a newer one is due. */
  readonly postpone: (dueAtMs: number) => void;
  readonly setFailure: (failure: RefreshFailure) => void;
  readonly changes: Stream.Stream<MaybeCredential>;
}

/** Changes that a slow listener may fall behind by before it misses the oldest. */
const CAPACITY = 16;

/** The end of the scope ends the streams of listeners. */
export const makeCredentialState: Effect.Effect<CredentialState, never, Scope.Scope> = Effect.gen(
  function* () {
    const published = yield* Effect.acquireRelease(
      PubSub.sliding<MaybeCredential | Closed>(CAPACITY),
      (pubsub) => PubSub.end(pubsub, closed),
    );
    let state: ManagerState = { _tag: "Unloaded" };
    let version = 0;
    let last: MaybeCredential = Option.none();

    const move = (next: ManagerState): void => {
      state = next;
      version += 1;
      const credential = next._tag === "Loaded" ? next.credential : Option.none();
      if (Option.getOrUndefined(credential) === Option.getOrUndefined(last)) return;
      last = credential;
      PubSub.publishUnsafe(published, credential);
    };
    const isOvertaken = (since: number | undefined) => since !== undefined && since !== version;

    return {
      get: () => state,
      version: () => version,
      invalidate: () => ++version,
      accept: (credential, since) => {
        if (isOvertaken(since)) return;
        // A reload that finds the same credential is not a change: callers keep the same object, and a running refresh still counts.
        const held = state._tag === "Loaded" ? state.credential : Option.none();
        if (
          Option.isSome(held) &&
          Option.isSome(credential) &&
          isIdentical(held.value, credential.value)
        )
          return;
        move({
          _tag: "Loaded",
          credential,
          result: Effect.succeed(credential),
          dueAtMs: Option.match(credential, { onNone: () => Infinity, onSome: dueAtMs }),
        });
      },
      fail: (error, since) => {
        if (!isOvertaken(since)) move({ _tag: "Failed", error });
      },
      unload: () => {
        state = { _tag: "Unloaded" };
        version += 1;
      },
      postpone: (due) => {
        if (state._tag === "Loaded") state = { ...state, dueAtMs: due };
      },
      setFailure: (failure) => {
        if (state._tag === "Loaded") state = { ...state, failure };
      },
      changes: Stream.takeWhile(Stream.fromPubSub(published), isChange),
    };
  },
);

interface Closed {
  readonly _tag: "Closed";
}
const closed: Closed = { _tag: "Closed" };
const isChange = (value: MaybeCredential | Closed): value is MaybeCredential =>
  value._tag !== "Closed";

/** Whether requests would carry the same secret, or be signed with the same key and for the same task. */
export const isSameSecret = (a: Credential, b: Credential): boolean => {
  if (a === b) return true;
  if (a._tag === "AgentIdentity" || b._tag === "AgentIdentity") {
    return a._tag === "AgentIdentity" && isSameAgent(a, b);
  }
  return a._tag === b._tag && Redacted.value(secretOf(a)) === Redacted.value(secretOf(b));
};

const isSameAgent = (a: AgentIdentityCredential, b: Credential): boolean =>
  b._tag === "AgentIdentity" &&
  a.signer.taskId === b.signer.taskId &&
  a.record.agentRuntimeId === b.record.agentRuntimeId &&
  Redacted.value(a.record.privateKey) === Redacted.value(b.record.privateKey);

/** The secret that requests carry. */
export const secretOf = (
  credential: Exclude<Credential, AgentIdentityCredential>,
): Redacted.Redacted => {
  switch (credential._tag) {
    case "ApiKey":
      return credential.apiKey;
    case "Chatgpt":
    case "ExternalChatgpt":
    case "WorkloadIdentity":
      return credential.accessToken;
    case "PersonalAccessToken":
    case "Bearer":
      return credential.token;
  }
};

/** Everything equal: secrets, account, source, expiry. */
const isIdentical = (a: Credential, b: Credential): boolean =>
  isSameSecret(a, b) && Equal.equals({ ...a, signer: null }, { ...b, signer: null });
