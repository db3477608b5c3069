import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import type { AccountServiceOptions } from "./types.ts";

/** Runs an Effect with its own transport, which is loaded when it is first needed. */
export type WithHttp = <A, E>(effect: Effect.Effect<A, E, HttpTransport>) => Effect.Effect<A, E>;

export const makeWithHttp =
  (
    { allowInsecureHttp = false, environment }: AccountServiceOptions,
    originator: () => string,
  ): WithHttp =>
  (effect) =>
    Effect.flatMap(httpModule, ({ layer }) =>
      Effect.provide(effect, layer(environment, { originator: originator(), allowInsecureHttp })),
    );

const httpModule = Effect.promise(() => import("@agent-auth/login/http"));
