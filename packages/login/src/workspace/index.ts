import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { hasWorkspacePolicy } from "@agent-auth/agent-identity/record/plan";
import * as Effect from "effect/Effect";
import { answerKey, makeAnswers, type WorkspaceChecksOptions } from "./answers.ts";
import { enforcePolicy, parsePolicy, type Policy } from "./policy.ts";
import { ask, policyQuestion, routingQuestion } from "./question.ts";
import { type AccountsCheck, routingOf } from "./routing.ts";
import type { Config } from "../config/types.ts";
import type { WorkspaceAccess, WorkspaceCredential } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";

export { answerFreshMs, answerUsableMs, type WorkspaceChecksOptions } from "./answers.ts";
export { workspaceRequestHeaders } from "./question.ts";

/** Asks the backend about workspaces. */
export interface WorkspaceChecks {
  /**
   * Returns the origin and the header values for requests with a credential. Fails if the workspace's policy forbids the
   * credential, if the routing is not trusted, or if one of them cannot be loaded.
   */
  readonly check: (
    credential: WorkspaceCredential,
  ) => Effect.Effect<WorkspaceAccess, LoginError, HttpTransport>;
  /** As `check`, but only from stored answers: `undefined` if one is missing. Sends nothing. */
  readonly checkStored: (
    credential: WorkspaceCredential,
  ) => Effect.Effect<WorkspaceAccess | undefined, LoginError>;
  /** Asks the backend which workspaces the credential's user has. */
  readonly list: (
    credential: WorkspaceCredential,
  ) => Effect.Effect<ReadonlyArray<Workspace>, LoginError, HttpTransport>;
}

/** A workspace of a user, as the backend describes it. */
export interface Workspace {
  readonly id: string;
  readonly name?: string;
  /** Such as `personal` or `workspace`. */
  readonly structure?: string;
  /** Whether the current sign-in belongs to this workspace. */
  readonly isCurrent: boolean;
}

/** Returns the checks of one manager. Sends nothing and reads nothing yet. */
export const makeWorkspaceChecks = (options: WorkspaceChecksOptions): WorkspaceChecks => {
  const { config } = options;
  const answers = makeAnswers(options);
  const isRouted = goesToBackend(config);

  /** Applies the answers: `null` for a policy or a routing that does not exist. */
  const accessFrom = Effect.fnUntraced(function* (
    credential: WorkspaceCredential,
    policy: Policy | undefined,
    routing: AccountsCheck | null,
    checkAgainAtMs: number,
  ): Effect.fn.Return<WorkspaceAccess, LoginError> {
    if (policy !== undefined) yield* enforcePolicy(policy, config, credential);
    const { accountId = "" } = credential.account;
    const route = routing === null ? {} : yield* routingOf(routing, accountId, config);
    const name = routing?.accounts.find(({ id }) => id === accountId)?.name ?? undefined;
    return { ...route, ...compact({ name, residency: policy?.residency }), checkAgainAtMs };
  });

  return {
    check: Effect.fn("AuthManager.checkWorkspace")(function* (credential) {
      // The policy first: a credential that it forbids is not used for anything else.
      const bundle = hasPolicy(credential)
        ? yield* answers.to(policyQuestion, credential)
        : nothing;
      const policy = bundle.value === null ? undefined : yield* parsePolicy(bundle.value);
      if (policy !== undefined) yield* enforcePolicy(policy, config, credential);
      const routing =
        isRouted && credential.account.accountId !== undefined
          ? yield* answers.to(routingQuestion, credential)
          : nothing;
      const checkAgainAtMs = Math.min(bundle.checkAgainAtMs, routing.checkAgainAtMs);
      return yield* accessFrom(credential, policy, routing.value, checkAgainAtMs);
    }),
    list: Effect.fnUntraced(function* (credential) {
      const { backend } = yield* answerKey(options, routingQuestion, credential);
      const found = yield* ask(routingQuestion, credential, { backend, tries: 3 });
      return (found?.accounts ?? []).map(({ id, name, structure }) => ({
        id,
        isCurrent: id === credential.account.accountId,
        ...compact({ name: name ?? undefined, structure: structure ?? undefined }),
      }));
    }),
    checkStored: Effect.fnUntraced(function* (credential) {
      const bundle = hasPolicy(credential)
        ? yield* answers.stored(policyQuestion, credential)
        : null;
      const policy =
        bundle === undefined || bundle === null ? undefined : yield* parsePolicy(bundle);
      const routing = isRouted ? yield* answers.stored(routingQuestion, credential) : null;
      if (bundle === undefined || routing === undefined) {
        if (policy !== undefined) yield* enforcePolicy(policy, config, credential);
        return undefined;
      }
      return yield* accessFrom(credential, policy, routing, 0);
    }),
  };
};

const nothing = { value: null, checkAgainAtMs: Infinity };

const hasPolicy = ({ account: { planType } }: WorkspaceCredential): boolean =>
  planType !== undefined && hasWorkspacePolicy(planType);

/** Whether model requests with a ChatGPT credential go to the backend that knows the workspaces. */
const goesToBackend = ({
  chatgptBaseUrl,
  modelProvider = "openai",
  modelProviders,
  openaiBaseUrl,
}: Config): boolean => {
  const fixed = modelProviders.get(modelProvider)?.baseUrl ?? openaiBaseUrl;
  return fixed === undefined || URL.parse(fixed)?.origin === URL.parse(chatgptBaseUrl)?.origin;
};
