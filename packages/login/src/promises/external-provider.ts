import * as Effect from "effect/Effect";
import type { ExternalAuthProvider } from "../manager/index.ts";
import { compact } from "../internal/compact.ts";
import { toRedacted, type Secret } from "./secrets.ts";

/** Supplies ChatGPT tokens that another program owns. Asked at start and once after each 401. */
export interface PromiseAuthProvider {
  readonly name: string;
  /** The message of a rejection is repeated in errors, so it must hold no secret. */
  readonly tokens: (
    ask: { readonly reason: "initial" | "unauthorized"; readonly previousAccountId?: string },
    signal: AbortSignal,
  ) => Promise<{
    readonly accessToken: Secret;
    readonly accountId: string;
    readonly planType?: string;
  }>;
}

export const fromPromiseProvider = (provider: PromiseAuthProvider): ExternalAuthProvider => ({
  name: provider.name,
  tokens: (ask) =>
    Effect.tryPromise({
      try: async (signal) => {
        const { accessToken, accountId, planType } = await provider.tokens(ask, signal);
        return {
          accessToken: toRedacted(accessToken, "accessToken"),
          accountId,
          ...compact({ planType }),
        };
      },
      catch: (error) => error,
    }),
});
