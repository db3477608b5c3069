import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Predicate from "effect/Predicate";
import * as Redacted from "effect/Redacted";
import { ExternalProviderFailed } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import type { ExternalAuthProvider, ExternalTokens } from "./types.ts";

/** External tokens and the name of the provider that supplied them. */
export interface SuppliedTokens {
  readonly tokens: ExternalTokens;
  readonly providerName: string;
}

/** The external provider of a manager, and the tokens that it supplied last. */
export interface ExternalProviderSlot {
  /** The last tokens, else the provider's answer to `initial`; `None` without a provider. */
  readonly tokens: Effect.Effect<Option.Option<SuppliedTokens>, ExternalProviderFailed>;
  readonly isSet: () => boolean;
  readonly set: (provider: ExternalAuthProvider | null) => void;
  /** Asks the provider again, after a 401; `None` without a provider. */
  readonly askAgain: (
    previousAccountId: string | undefined,
  ) => Effect.Effect<Option.Option<ExternalTokens>, ExternalProviderFailed>;
}

export const makeExternalProviderSlot = (
  initial: ExternalAuthProvider | undefined,
): ExternalProviderSlot => {
  let provider = initial ?? null;
  let last: ExternalTokens | undefined;

  const ask = (
    question: Parameters<ExternalAuthProvider["tokens"]>[0],
    asked: ExternalAuthProvider,
  ) =>
    Effect.suspend(() => asked.tokens(question)).pipe(
      Effect.flatMap(checkTokens),
      Effect.mapError((error) => providerFailed(asked, error)),
      Effect.tap((tokens) =>
        Effect.sync(() => {
          if (provider === asked) last = tokens;
        }),
      ),
    );

  return {
    tokens: Effect.suspend(() => {
      const asked = provider;
      if (asked === null) return Effect.succeedNone;
      const tokens = last === undefined ? ask({ reason: "initial" }, asked) : Effect.succeed(last);
      return Effect.map(tokens, (tokens) => Option.some({ tokens, providerName: asked.name }));
    }),
    isSet: () => provider !== null,
    set: (next) => {
      provider = next;
      last = undefined;
    },
    askAgain: (previousAccountId) =>
      Effect.suspend(() =>
        provider === null
          ? Effect.succeedNone
          : Effect.asSome(
              ask(compact({ reason: "unauthorized" as const, previousAccountId }), provider),
            ),
      ),
  };
};

/**
 * Fails if the provider's answer has the wrong type. This is checked because the provider may be written in JavaScript.
 */
const checkTokens = (tokens: unknown): Effect.Effect<ExternalTokens, Error> => {
  if (!Predicate.hasProperty(tokens, "accessToken") || !Predicate.hasProperty(tokens, "accountId"))
    return wrong("the answer must have accessToken and accountId");
  const { accessToken, accountId } = tokens;
  const planType = "planType" in tokens ? tokens.planType : undefined;
  if (!isRedactedText(accessToken)) return wrong("accessToken must be a Redacted string");
  if (typeof accountId !== "string") return wrong("accountId must be a string");
  if (planType !== undefined && typeof planType !== "string")
    return wrong("planType must be a string");
  return Effect.succeed({ accessToken, accountId, ...compact({ planType }) });
};

const wrong = (problem: string): Effect.Effect<never, Error> => Effect.fail(new TypeError(problem));

const isRedactedText = (value: unknown): value is Redacted.Redacted =>
  Redacted.isRedacted(value) && typeof Redacted.value(value) === "string";

const providerFailed = (provider: ExternalAuthProvider, error: unknown): ExternalProviderFailed =>
  new ExternalProviderFailed({
    provider: provider.name,
    reason:
      Predicate.hasProperty(error, "message") && typeof error.message === "string"
        ? error.message
        : "it gave no reason",
  });
