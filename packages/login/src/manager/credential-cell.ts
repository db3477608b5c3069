import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type * as Scope from "effect/Scope";
import * as Stream from "effect/Stream";
import type { Credential } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";
import { dueAtMs } from "../credential/expiry.ts";

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

interface Listener {
  hear: (credential: MaybeCredential) => void;
  /** Ends the listener's stream. */
  end: () => void;
}

/** The end of the scope ends the streams of those who listen. */
export const makeCredentialCell = Effect.fnUntraced(function* (): Effect.fn.Return<
  CredentialCell,
  never,
  Scope.Scope
> {
  const listeners = new Set<Listener>();
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const listener of listeners) listener.end();
    }),
  );
  let state: CellState = { _tag: "Unloaded" };
  let told: MaybeCredential = Option.none();

  const move = (next: CellState): void => {
    state = next;
    const credential = next._tag === "Loaded" ? next.credential : Option.none();
    if (Option.getOrUndefined(credential) === Option.getOrUndefined(told)) return;
    told = credential;
    for (const listener of listeners) listener.hear(credential);
  };

  return {
    state: () => state,
    accept: (credential) =>
      move({
        _tag: "Loaded",
        credential,
        answer: Effect.succeed(credential),
        dueAtMs: Option.match(credential, { onNone: () => Infinity, onSome: dueAtMs }),
      }),
    postponeRenewal: (dueAtMs) => {
      if (state._tag === "Loaded") state = { ...state, dueAtMs };
    },
    fail: (error) => move({ _tag: "Failed", error }),
    unload: () => {
      state = { _tag: "Unloaded" };
    },
    changes: Stream.unwrap(listen(listeners)),
  };
});

/**
 * Hears from at once; what it takes to make a stream of it is loaded when somebody listens. A listener that is slow
 * misses old changes, never the newest; a failed load reaches it as `None`.
 */
const listen = (listeners: Set<Listener>) =>
  Effect.gen(function* () {
    const early: Array<MaybeCredential> = [];
    let hasEnded = false;
    const listener: Listener = {
      hear: (credential) => void early.push(credential),
      end: () => {
        hasEnded = true;
      },
    };
    yield* Effect.acquireRelease(
      Effect.sync(() => listeners.add(listener)),
      () => Effect.sync(() => listeners.delete(listener)),
    );
    const { openChangeQueue } = yield* Effect.promise(() => import("./change-queue.ts"));
    const queue = yield* openChangeQueue;
    listener.hear = queue.hear;
    listener.end = queue.end;
    early.forEach(listener.hear);
    if (hasEnded) listener.end();
    return queue.stream;
  });
