import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as PubSub from "effect/PubSub";
import type * as Scope from "effect/Scope";
import * as Stream from "effect/Stream";
import type { Credential } from "../credential.ts";
import type { LoginError } from "../errors.ts";
import { renewalDueAtMs } from "./renewal.ts";

type MaybeCredential = Option.Option<Credential>;

export type CellState =
  | { readonly _tag: "Unloaded" }
  | {
      readonly _tag: "Loaded";
      readonly credential: MaybeCredential;
      /** What `current` gives back, made once: the way of a warm manager has to be short. */
      readonly answer: Effect.Effect<MaybeCredential>;
      /** From then on `current` looks for a newer credential first. */
      readonly dueAtMs: number;
    }
  | { readonly _tag: "Failed"; readonly error: LoginError };

/** Holds the credential of a manager. Whoever changes it holds the manager's turn. */
export interface CredentialCell {
  readonly state: () => CellState;
  /** Makes this the current credential, and tells those who listen where it differs. */
  readonly accept: (credential: MaybeCredential) => void;
  /** Keeps the current credential and looks for a newer one at another time than it says itself. */
  readonly postponeRenewal: (dueAtMs: number) => void;
  readonly fail: (error: LoginError) => void;
  /** Forgets the outcome of the last load. */
  readonly unload: () => void;
  readonly changes: Stream.Stream<MaybeCredential>;
}

const capacity = 16;

/** Listeners that are slow miss old changes, never the newest; a failed load reaches them as `None`. */
export const makeCredentialCell: Effect.Effect<CredentialCell, never, Scope.Scope> = Effect.gen(
  function* () {
    const changes = yield* Effect.acquireRelease(
      PubSub.sliding<MaybeCredential>(capacity),
      PubSub.shutdown,
    );
    let state: CellState = { _tag: "Unloaded" };
    let told: MaybeCredential = Option.none();

    const move = (next: CellState): void => {
      state = next;
      const credential = next._tag === "Loaded" ? next.credential : Option.none();
      if (Option.getOrUndefined(credential) === Option.getOrUndefined(told)) return;
      told = credential;
      PubSub.publishUnsafe(changes, credential);
    };

    return {
      state: () => state,
      accept: (credential) =>
        move({
          _tag: "Loaded",
          credential,
          answer: Effect.succeed(credential),
          dueAtMs: Option.match(credential, { onNone: () => Infinity, onSome: renewalDueAtMs }),
        }),
      postponeRenewal: (dueAtMs) => {
        if (state._tag === "Loaded") state = { ...state, dueAtMs };
      },
      fail: (error) => move({ _tag: "Failed", error }),
      unload: () => {
        state = { _tag: "Unloaded" };
      },
      changes: Stream.fromPubSub(changes),
    };
  },
);
