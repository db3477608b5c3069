import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import { checkRestrictions } from "../config/restrictions.ts";
import { dueAtMs, expiresAtMs, isDue, isExpired } from "../credential/expiry.ts";
import type { LoginError } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import type { ManagerDeps } from "./deps.ts";
import { loadContent } from "./load.ts";
import { findCredential } from "./sources.ts";
import type { Inspection } from "./types.ts";

/**
 * `AuthManager.inspect`: what the next request would use. Nothing is refreshed, removed, written or made current, and no
 * agent task is registered.
 */
export const inspect = Effect.fn("AuthManager.inspect")(function* (
  deps: ManagerDeps,
): Effect.fn.Return<Option.Option<Inspection>, LoginError, HttpTransport> {
  const finding = yield* findCredential(deps);
  if (Option.isNone(finding)) return Option.none();
  const agents = Effect.map(deps.agents, ({ factsOfJwt, factsOfRecord }) => ({
    jwt: factsOfJwt,
    record: factsOfRecord,
  }));
  const { environment, config } = deps.options;
  const credential = yield* loadContent({ environment, agents }, finding.value);
  const forbidden = yield* checkRestrictions(config, credential).pipe(
    Effect.as(undefined),
    Effect.catch((error) => Effect.succeed(error)),
  );
  const nowMs = yield* Clock.currentTimeMillis;
  const due = dueAtMs(credential);
  return Option.some(
    compact({
      credential,
      expiresAtMs: expiresAtMs(credential),
      dueAtMs: due === Infinity ? undefined : due,
      isDue: isDue(credential, nowMs),
      isExpired: isExpired(credential, nowMs),
      forbidden,
    }),
  );
});
