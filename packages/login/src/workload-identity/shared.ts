import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Redacted from "effect/Redacted";
import { contentVersion } from "../storage/fingerprint.ts";
import type { WorkloadIdentity, WorkloadIdentityOptions } from "./make.ts";

/**
 * The workload identities of a program: managers that are given the same service share one exchange, if they have the same
 * settings and the platform gave them the same variables. Without one, all managers of the process share.
 *
 * @example
 * ```ts
 * import { type AuthManagerOptions, layer } from "@agent-auth/login/manager";
 * import { WorkloadIdentities } from "@agent-auth/login/workload-identity";
 * import * as Layer from "effect/Layer";
 *
 * // This manager makes its own exchanges.
 * export const separate = (options: AuthManagerOptions) =>
 *   Layer.provide(layer(options), Layer.fresh(WorkloadIdentities.layer));
 * ```
 */
export class WorkloadIdentities extends Context.Service<
  WorkloadIdentities,
  {
    /** Returns the workload identity with these settings, which is made at the first call. Sends nothing. */
    readonly open: (options: WorkloadIdentityOptions) => Effect.Effect<WorkloadIdentity>;
  }
>()("@agent-auth/login/workload-identity") {
  static readonly layer: Layer.Layer<WorkloadIdentities> = Layer.sync(WorkloadIdentities, () => {
    const identities = new Map<string, WorkloadIdentity>();
    return {
      open: Effect.fnUntraced(function* (options) {
        const key = keyOf(options);
        const found = identities.get(key);
        if (found !== undefined) return found;
        const { makeWorkloadIdentity } = yield* Effect.promise(() => import("./make.ts"));
        const made = yield* makeWorkloadIdentity(options);
        const first = identities.get(key) ?? made; // another caller may have been faster
        identities.set(key, first);
        return first;
      }),
    };
  });
}

/** What the sources read, apart from the settings. */
const platformVariables = [
  "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
  "ACTIONS_ID_TOKEN_REQUEST_URL",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
  "AZURE_FEDERATED_TOKEN_FILE",
  "BUILDKITE_AGENT_ACCESS_TOKEN",
  "BUILDKITE_AGENT_ENDPOINT",
  "BUILDKITE_JOB_ID",
  "CIRCLE_OIDC_TOKEN",
  "CIRCLE_OIDC_TOKEN_V2",
  "GCE_METADATA_HOST",
  "OPENAI_ID_TOKEN",
  "SPIFFE_ENDPOINT_SOCKET",
];

const keyOf = ({ environment, settings }: WorkloadIdentityOptions): string => {
  const { tokenVariable = [] } = settings.source;
  const values = [platformVariables, tokenVariable].flat().map((name) => {
    const value = environment.variable(name);
    return value === undefined ? null : Redacted.value(value);
  });
  return contentVersion(JSON.stringify([settings, values]));
};

/** Keeps the identities of the process as long as a manager uses them. */
const processWide = Layer.makeMemoMapUnsafe();

/** The service of the context, else the one of the process. */
export const sharedIdentities = Effect.gen(function* () {
  const given = yield* Effect.serviceOption(WorkloadIdentities);
  if (given._tag === "Some") return given.value;
  const scope = yield* Effect.scope;
  const built = yield* Layer.buildWithMemoMap(WorkloadIdentities.layer, processWide, scope);
  return Context.get(built, WorkloadIdentities);
});
