import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Schedule from "effect/Schedule";
import type { AuthDocument } from "./auth-json/index.ts";
import type {
  CredentialStore,
  SavedTokens,
  StoredDocument,
  StoreImplementation,
} from "./credential-store.ts";
import { isInUse } from "./fs/in-use.ts";
import { fingerprint } from "./fingerprint.ts";
import { assertHomeLockHeld } from "./lock/held.ts";

/** Tokens that could not be saved, and the pair that they replace. */
interface Pending {
  readonly spent: string;
  readonly document: AuthDocument;
}

/**
 * Makes a `CredentialStore` of an implementation: adds the memory for refreshed tokens that could not be saved, reads a
 * half-written document again, and dies if a change is attempted after the home lock was released.
 *
 * @example
 * ```ts
 * import { CredentialStore, makeCredentialStore } from "@agent-auth/login/storage";
 * import * as Effect from "effect/Effect";
 * import * as Layer from "effect/Layer";
 *
 * const source = { _tag: "Ephemeral" } as const;
 * export const emptyStore = Layer.sync(CredentialStore, () =>
 *   makeCredentialStore({
 *     load: Effect.succeedNone,
 *     save: () => Effect.succeed(source),
 *     remove: () => Effect.succeed(false),
 *     checkWritable: Effect.void,
 *     describe: { mode: "ephemeral", places: [source], isPersistent: false },
 *   }),
 * );
 * ```
 */
export const makeCredentialStore = (store: StoreImplementation): CredentialStore["Service"] => {
  let pending: Pending | undefined;

  const forget = Effect.sync(() => {
    pending = undefined;
  });

  /** Pending tokens count only while the store still holds what they replace. */
  const standIn = (stored: Option.Option<StoredDocument>): Option.Option<StoredDocument> => {
    if (pending === undefined) return stored;
    const found = Option.getOrUndefined(stored);
    if (found === undefined || pairOf(found.document) !== pending.spent) {
      pending = undefined;
      return stored;
    }
    return Option.some({ ...found, document: pending.document });
  };

  const load = Effect.map(loadSettled(store), standIn);
  const save: StoreImplementation["save"] = (document, options) =>
    Effect.andThen(assertHomeLockHeld, Effect.tap(store.save(document, options), forget));

  const keepUnsaved: CredentialStore["Service"]["keepUnsaved"] = (document, spent) =>
    Effect.sync(() => {
      const pair = pending?.spent ?? pairOf(spent.document);
      if (pair !== undefined) pending = { spent: pair, document };
    });

  return {
    ...store,
    load,
    save,
    keepUnsaved,
    remove: (options) =>
      Effect.andThen(assertHomeLockHeld, Effect.tap(store.remove(options), forget)),
    saveRefreshed: (document, spent, options) =>
      save(document, { ...options, expected: spent.version }).pipe(
        Effect.retry({
          schedule: saveAgain,
          while: (error) => error._tag === "StoreUnavailable",
        }),
        Effect.map((source): SavedTokens => ({ source, problem: Option.none() })),
        Effect.catch((error) =>
          error._tag === "StoreConflict"
            ? Effect.fail(error)
            : Effect.as(keepUnsaved(document, spent), {
                source: spent.source,
                problem: Option.some(error),
              }),
        ),
      ),
    savePending: Effect.suspend(() =>
      pending === undefined
        ? Effect.void
        : Effect.flatMap(load, (stored) =>
            pending === undefined || Option.isNone(stored)
              ? Effect.void
              : Effect.asVoid(save(pending.document, { expected: stored.value.version })),
          ),
    ),
    hasPending: () => pending !== undefined,
  };
};

/**
 * While a store does not respond, neither does its lock, so in most cases no other host can spend the old token before
 * the new one is saved.
 */
const SAVE_WITHIN_MS = 20_000;
const saveAgain = Schedule.upTo(
  Schedule.jittered(Schedule.min([Schedule.exponential(100, 2), Schedule.spaced(1_000)])),
  { duration: SAVE_WITHIN_MS },
);

const SETTLE_MS = 50;

/**
 * Other programs write in place, so a document that does not parse may be half written: it is read twice. On Windows, so is
 * a file that cannot be opened: it may be being replaced.
 */
const loadSettled = (store: StoreImplementation): StoreImplementation["load"] =>
  Effect.catchIf(
    store.load,
    (error) =>
      error._tag === "AuthJsonInvalid" ||
      (error._tag === "StoreUnreadable" && isInUse(error.systemCode)),
    () => Effect.andThen(Effect.sleep(SETTLE_MS), store.load),
  );

/** Names a token pair without keeping it. An authority need not rotate refresh tokens, so both count. */
const pairOf = ({ tokens }: AuthDocument): string | undefined =>
  tokens === undefined
    ? undefined
    : `${fingerprint(tokens.refreshToken)} ${fingerprint(tokens.accessToken)}`;
