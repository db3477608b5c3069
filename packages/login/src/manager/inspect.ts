import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Result from "effect/Result";
import { checkRestrictions } from "../config/restrictions.ts";
import type { CredentialFacts, WorkspaceAccess } from "../credential/index.ts";
import { dueAtMs, expiresAtMs, isDue, isExpired } from "../credential/expiry.ts";
import type { LoginError } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import type { WorkspaceChecks } from "../workspace/index.ts";
import type { ManagerDeps } from "./deps.ts";
import { loadContent } from "./load.ts";
import { findCredential } from "./sources.ts";
import type { Inspection } from "./types.ts";
import { isWorkspaceCredential } from "./workspace-gate.ts";

/**
 * `AuthManager.inspect`: what the next request would use. Nothing is refreshed, removed, written or made current, and no
 * agent task is registered.
 */
export const inspect = Effect.fn("AuthManager.inspect")(function* (
  deps: ManagerDeps,
  checks: Effect.Effect<WorkspaceChecks>,
): Effect.fn.Return<Option.Option<Inspection>, LoginError, HttpTransport> {
  const finding = yield* findCredential(deps);
  if (Option.isNone(finding)) return Option.none();
  const agents = Effect.map(deps.agents, ({ factsOfJwt, factsOfRecord }) => ({
    jwt: factsOfJwt,
    record: factsOfRecord,
  }));
  const { environment, config } = deps.options;
  const credential = yield* loadContent({ environment, agents }, finding.value);
  const restricted = yield* Effect.result(checkRestrictions(config, credential));
  const stored = yield* Effect.result(storedAccess(checks, credential));
  const workspace = Result.isSuccess(stored) ? stored.success : undefined;
  const forbidden = Result.isFailure(restricted)
    ? restricted.failure
    : Result.isFailure(stored)
      ? stored.failure
      : undefined;
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
      workspace,
    }),
  );
});

/** What earlier requests found out about the workspace. Sends nothing; fails if the stored policy forbids the credential. */
const storedAccess = (
  checks: Effect.Effect<WorkspaceChecks>,
  credential: CredentialFacts,
): Effect.Effect<WorkspaceAccess | undefined, NonNullable<Inspection["forbidden"]>> =>
  credential._tag === "AgentIdentity" || !isWorkspaceCredential(credential)
    ? Effect.undefined
    : Effect.flatMap(checks, (it) => it.checkStored(credential)).pipe(
        // Other errors are left to the next request, which may get a newer answer.
        Effect.catch((error) =>
          error._tag === "ForbiddenByAdministrator" ? Effect.fail(error) : Effect.undefined,
        ),
      );
