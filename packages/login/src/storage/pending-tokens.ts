import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import type { AuthDocument } from "./auth-json/index.ts";
import type { CredentialStore, StoredDocument, StoreSource } from "./index.ts";
import type { StoreError } from "../errors/index.ts";
import { fingerprint } from "./fingerprint.ts";

type Store = CredentialStore["Service"];

/**
 * A store that never loses refreshed tokens: where saving them fails, although that was checked before the refresh
 * token was spent, they are kept in memory and stand in for the spent ones until they are saved, or until somebody
 * else has stored another sign-in. Every manager of the process whose store holds the spent ones gets them.
 */
export interface StoreWithPendingTokens extends Store {
  /** Saves tokens that replace those of `spent`, or keeps them in memory; never fails. */
  readonly saveRefreshed: (
    document: AuthDocument,
    spent: StoredDocument,
  ) => Effect.Effect<SavedTokens>;
  /** Tries again to save what is kept in memory, where anything is. Its caller holds the home lock. */
  readonly savePending: Effect.Effect<void, StoreError>;
  readonly hasPending: () => boolean;
}

export interface SavedTokens {
  /** Where they are now; where they were before, if they could not be saved. */
  readonly source: StoreSource;
  /** What they had to be kept in memory for. */
  readonly problem: Option.Option<StoreError>;
}

/** What is kept in this process, by the name of the pair that it replaces. */
const kept = new Map<string, AuthDocument>();

export const withPendingTokens = (store: Store): StoreWithPendingTokens => {
  /** The spent pair, where this store still held it when it was last looked at. */
  let spentPair: string | undefined;

  const forget = () => {
    if (spentPair !== undefined) kept.delete(spentPair);
    spentPair = undefined;
  };
  const ours = () => (spentPair === undefined ? undefined : kept.get(spentPair));

  /** What is kept counts only while the store still holds what it replaces. */
  const standIn = (stored: Option.Option<StoredDocument>): Option.Option<StoredDocument> => {
    const found = Option.getOrUndefined(stored);
    const pair = found === undefined ? undefined : pairOf(found.document);
    if (pair !== spentPair) forget();
    const document = pair === undefined ? undefined : kept.get(pair);
    if (found === undefined || document === undefined) return stored;
    spentPair = pair;
    return Option.some({ document, source: found.source });
  };

  const load = Effect.map(loadSettled(store), standIn);
  const save: Store["save"] = (document) => Effect.tap(store.save(document), Effect.sync(forget));

  return {
    ...store,
    load,
    save,
    remove: Effect.tap(store.remove, Effect.sync(forget)),
    saveRefreshed: (document, spent) =>
      save(document).pipe(
        Effect.map((source): SavedTokens => ({ source, problem: Option.none() })),
        Effect.catch((error) =>
          Effect.sync(() => {
            spentPair = ours() === undefined ? pairOf(spent.document) : spentPair;
            if (spentPair !== undefined) kept.set(spentPair, document);
            return { source: spent.source, problem: Option.some(error) };
          }),
        ),
      ),
    savePending: Effect.suspend(() =>
      ours() === undefined
        ? Effect.void
        : Effect.flatMap(load, () => {
            const document = ours();
            return document === undefined ? Effect.void : Effect.asVoid(save(document));
          }),
    ),
    hasPending: () => ours() !== undefined,
  };
};

const settleMs = 50;

/** Other programs write in place, so what does not read may be half written: it is read once more before it counts. */
const loadSettled = (store: Store): Store["load"] =>
  Effect.catchTag(store.load, "AuthJsonInvalid", () =>
    Effect.andThen(Effect.sleep(settleMs), store.load),
  );

/** Names a token pair without keeping it. An authority need not rotate refresh tokens, so both count. */
const pairOf = ({ tokens }: AuthDocument): string | undefined =>
  tokens === undefined
    ? undefined
    : `${fingerprint(tokens.refreshToken)} ${fingerprint(tokens.accessToken)}`;
