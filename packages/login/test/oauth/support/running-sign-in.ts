import { inspect } from "node:util";
import { assert } from "@effect/vitest";
import { signInWithBrowser, type BrowserSignInOptions } from "../../../src/oauth/browser.ts";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { CANARIES, memoryAuthority, visit } from "./memory-authority.ts";

/** The answer of an authority that said yes. */
export const approved = { code: CANARIES.code };

/** Starts a sign-in and hands over what a person's browser would know of it. */
export const start = Effect.fnUntraced(function* <E = never>(
  fake: ReturnType<typeof memoryAuthority>,
  options: Partial<BrowserSignInOptions<E>> = {},
) {
  const shown = yield* Deferred.make<URL>();
  const signIn = yield* signInWithBrowser<E>({
    issuer: fake.issuer,
    clientId: "client-1",
    ports: [0],
    onAuthorizeUrl: ({ url }) => Effect.asVoid(Deferred.succeed(shown, new URL(url))),
    ...options,
  }).pipe(Effect.provide(fake.layer), Effect.forkChild);
  const url = yield* Effect.raceFirst(
    Deferred.await(shown),
    Effect.flatMap(Fiber.join(signIn), () => Effect.die("ended before it began")),
  );
  const redirectUri = url.searchParams.get("redirect_uri") ?? "";
  const state = url.searchParams.get("state") ?? "";
  const answer = (query: Record<string, string>) =>
    `${redirectUri}?${new URLSearchParams({ state, ...query }).toString()}`;
  const origin = new URL(redirectUri).origin;
  /** What a browser does once the person has agreed. */
  const comeBack = Effect.andThen(visit(answer(approved)), visit(`${origin}/success`));
  return { signIn, url, redirectUri, origin, state, answer, comeBack };
});

/** The flow's error, from a fiber that must have failed. */
export const failureOf = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<E> =>
  Effect.flip(Fiber.join(fiber)).pipe(Effect.orDie);

/** Whether anything answers at an origin. */
export const isListening = (origin: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    fetch(origin).then(
      () => true,
      () => false,
    ),
  );

/** Fails if a text contains one of the secrets. */
export const assertNoCanary = (value: unknown): void => {
  const text =
    typeof value === "string" ? value : `${inspect(value, { depth: 9 })} ${String(value)}`;
  for (const canary of Object.values(CANARIES)) assert.notInclude(text, canary);
};
