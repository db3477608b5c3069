import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Predicate from "effect/Predicate";
import { ExternalProviderFailed } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import type { ExternalAuthProvider, ExternalTokens } from "./types.ts";
import type { Source } from "./sources.ts";

/** The external provider of a manager, and the tokens that it handed over last. */
export interface ExternalSlot {
  /** Known tokens, else the provider's answer to "initial"; nothing without a provider. */
  readonly source: Source;
  readonly isSet: () => boolean;
  readonly set: (provider: ExternalAuthProvider | null) => void;
  /** Asks the provider again, after a 401. */
  readonly askAgain: (
    previousAccountId: string | undefined,
  ) => Effect.Effect<Option.Option<ExternalTokens>, ExternalProviderFailed>;
}

export const makeExternalSlot = (initial: ExternalAuthProvider | undefined): ExternalSlot => {
  let provider = initial ?? null;
  let tokens: ExternalTokens | undefined;

  const ask = (question: Parameters<ExternalAuthProvider["tokens"]>[0], of: ExternalAuthProvider) =>
    Effect.suspend(() => of.tokens(question)).pipe(
      Effect.mapError((error) => failure(of, error)),
      Effect.tap((answer) =>
        Effect.sync(() => {
          if (provider === of) tokens = answer;
        }),
      ),
    );

  return {
    source: Effect.suspend((): Source => {
      if (provider === null) return Effect.succeedNone;
      const source = { _tag: "External" as const, name: provider.name };
      const answer =
        tokens === undefined ? ask({ reason: "initial" }, provider) : Effect.succeed(tokens);
      return Effect.map(answer, (tokens) =>
        Option.some({ _tag: "External" as const, tokens, source }),
      );
    }),
    isSet: () => provider !== null,
    set: (next) => {
      provider = next;
      tokens = undefined;
    },
    askAgain: (previousAccountId) =>
      Effect.suspend(() =>
        provider === null
          ? Effect.succeedNone
          : ask(compact({ reason: "unauthorized" as const, previousAccountId }), provider).pipe(
              Effect.asSome,
            ),
      ),
  };
};

const failure = (provider: ExternalAuthProvider, error: unknown): ExternalProviderFailed =>
  new ExternalProviderFailed({
    provider: provider.name,
    reason:
      Predicate.hasProperty(error, "message") && typeof error.message === "string"
        ? error.message
        : "it gave no reason",
  });
