import type { HttpTransport } from "@agent-auth/agent-identity/http";
import * as Effect from "effect/Effect";
import type { WorkloadIdentityCredential } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";
import * as Option from "effect/Option";
import type { ManagerDeps } from "./deps.ts";
import { enforceRestrictions } from "./load.ts";

/** Exchanges the identity token again and makes the result current. */
export const replaceWorkloadToken = Effect.fnUntraced(function* (
  deps: ManagerDeps,
  rejected: WorkloadIdentityCredential,
): Effect.fn.Return<WorkloadIdentityCredential, LoginError, HttpTransport> {
  if (deps.workloadIdentity === undefined) return rejected;
  yield* deps.obtained.refuseSoonAgain(rejected);
  const version = deps.state.version();
  const fresh = yield* deps.workloadIdentity.replace(rejected);
  yield* deps.obtained.remember(fresh, rejected);
  const allowed = yield* Effect.tapError(enforceRestrictions(deps, fresh), (error) =>
    Effect.sync(() => deps.state.fail(error, version)),
  );
  deps.state.accept(Option.some(allowed), version);
  return allowed;
});
