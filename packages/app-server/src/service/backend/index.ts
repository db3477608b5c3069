import { parseJson } from "@agent-auth/agent-identity/encoding";
import type { ChatgptCredential, Credential } from "@agent-auth/login/credential";
import type { LoginError } from "@agent-auth/login/errors";
import * as Effect from "effect/Effect";
import {
  AccountAuthRequired,
  type AccountServiceError,
  BackendRequestFailed,
  InvalidThreadId,
} from "../../errors/index.ts";
import { hasChatgptAccount } from "../account-info.ts";
import { readConsumeOutcome, readRateLimits } from "./rate-limits.ts";
import { readThreadUsage, readTokenUsage, threadUsageOnly } from "./token-usage.ts";
import { readWorkspaceMessages, readWorkspaces, type SwitchableWorkspace } from "./workspaces.ts";
import { type BackendRequest, BackendRequests, type BackendRequestsOptions } from "./requests.ts";
import { isUuid } from "../uuid.ts";
import type { AccountServiceShape, AccountSessions } from "../types.ts";

type BackendOperations = Pick<
  AccountServiceShape,
  | "consumeRateLimitResetCredit"
  | "rateLimits"
  | "sendAddCreditsNudgeEmail"
  | "sessions"
  | "tokenUsage"
  | "workspaceMessages"
>;

interface BackendOptions extends BackendRequestsOptions {
  /** The credential for the next request, in the order of the operations. */
  readonly current: Effect.Effect<Credential | null, LoginError>;
}

/** The operations about usage, credits and workspaces. Other operations do not wait for their requests. */
export class AccountBackend implements BackendOperations {
  readonly #requests: BackendRequests;
  readonly #current: BackendOptions["current"];

  constructor({ current, ...options }: BackendOptions) {
    this.#requests = new BackendRequests(options);
    this.#current = current;
  }

  readonly rateLimits: BackendOperations["rateLimits"] = ({
    excludeResetCreditDetails = false,
    supportsLunaReserve = false,
  } = {}) =>
    Effect.gen({ self: this }, function* () {
      const credential = yield* this.#requireChatgpt("to read rate limits");
      const attempt = "failed to fetch codex rate limits";
      const usage = this.#requests.send({
        method: "GET",
        path: "/usage",
        attempt,
        credential,
        ...(supportsLunaReserve && { headers: { "x-openai-codex-luna-reserve": "true" } }),
      });
      const path = "/rate-limit-reset-credits";
      // Only details: without them, the count in the usage response remains.
      const details = excludeResetCreditDetails
        ? Effect.succeed(undefined)
        : Effect.orElseSucceed(
            Effect.map(
              this.#requests.send({ method: "GET", path, attempt, credential }),
              parseJson,
            ),
            () => undefined,
          );
      const [text, credits] = yield* Effect.all([usage, details], { concurrency: 2 });
      return yield* parse(text, attempt, (json) =>
        readRateLimits(json, credits, credential.account),
      );
    });

  readonly tokenUsage: BackendOperations["tokenUsage"] = ({ threadId } = {}) =>
    Effect.gen({ self: this }, function* () {
      const credential = yield* this.#requireChatgpt("to read token usage");
      if (threadId !== undefined) return yield* this.#threadUsage(threadId, credential);
      return yield* this.#read(
        {
          method: "GET",
          path: "/profiles/me",
          attempt: "failed to fetch token usage profile",
          credential,
        },
        readTokenUsage,
      );
    });

  /** The usage of a thread is null if the backend does not offer it. */
  #threadUsage(threadId: string, credential: Credential) {
    if (!isUuid(threadId)) return Effect.fail(new InvalidThreadId({ threadId }));
    const usage = this.#read(
      {
        method: "POST",
        path: "/usage/thread_usage/query",
        body: { thread_ids: [threadId] },
        attempt: "failed to fetch thread usage",
        credential,
      },
      (json) => readThreadUsage(json, threadId),
    );
    const orNull = Effect.catch(usage, (error) =>
      error.status === 403 || error.status === 404 ? Effect.succeed(null) : Effect.fail(error),
    );
    return Effect.map(orNull, threadUsageOnly);
  }

  get workspaceMessages(): BackendOperations["workspaceMessages"] {
    return Effect.gen({ self: this }, function* () {
      const messages = this.#read(
        {
          method: "GET",
          path: "/workspace-messages",
          attempt: "failed to fetch workspace messages",
          credential: yield* this.#requireChatgpt("to read workspace messages"),
        },
        readWorkspaceMessages,
      );
      return yield* Effect.catch(messages, (error) =>
        error.status === 404
          ? Effect.succeed({ featureEnabled: false, messages: [] })
          : Effect.fail(error),
      );
    });
  }

  readonly sendAddCreditsNudgeEmail: BackendOperations["sendAddCreditsNudgeEmail"] = (creditType) =>
    Effect.gen({ self: this }, function* () {
      const sent = this.#requests.send({
        method: "POST",
        path: "/accounts/send_add_credits_nudge_email",
        body: { credit_type: creditType },
        attempt: "failed to notify workspace owner",
        credential: yield* this.#requireChatgpt("to notify workspace owner"),
      });
      return yield* Effect.catch(Effect.as(sent, { status: "sent" as const }), (error) =>
        error.status === 429
          ? Effect.succeed({ status: "cooldown_active" as const })
          : Effect.fail(error),
      );
    });

  readonly consumeRateLimitResetCredit: BackendOperations["consumeRateLimitResetCredit"] = ({
    creditId,
    idempotencyKey,
  }) =>
    Effect.gen({ self: this }, function* () {
      return yield* this.#read(
        {
          method: "POST",
          path: "/rate-limit-reset-credits/consume",
          body: {
            redeem_request_id: idempotencyKey,
            ...(creditId === undefined ? {} : { credit_id: creditId }),
          },
          attempt: "failed to consume rate limit reset",
          credential: yield* this.#requireChatgpt("for rate limit reset credits"),
        },
        readConsumeOutcome,
      );
    });

  readonly sessions: BackendOperations["sessions"] = ({ refreshWorkspaceMetadata = false } = {}) =>
    Effect.gen({ self: this }, function* () {
      const credential = yield* this.#current;
      const { accountId, userId } = credential?.account ?? {};
      // A login without a user id has no session id, and is not listed.
      if (credential?._tag !== "Chatgpt" || userId === undefined)
        return { activeSessionId: null, sessions: [] };
      const workspaces = refreshWorkspaceMetadata
        ? (yield* this.#workspacesOf(credential)).map(({ shown }) => shown)
        : accountId === undefined
          ? []
          : [{ accountId, name: null, imageUrl: null, kind: null }];
      return { activeSessionId: userId, sessions: [sessionOf(credential, userId, workspaces)] };
    });

  /** The workspaces of the login, from the backend. */
  get listWorkspaces(): Effect.Effect<ReadonlyArray<SwitchableWorkspace>, AccountServiceError> {
    return Effect.flatMap(this.#current, (credential) =>
      credential === null ? Effect.succeed([]) : this.#workspacesOf(credential),
    );
  }

  #workspacesOf(credential: Credential) {
    const attempt = "Failed to fetch workspace metadata";
    return this.#read(
      { method: "GET", path: "/accounts/check", attempt, credential },
      readWorkspaces,
    );
  }

  get close(): Effect.Effect<void> {
    return this.#requests.close;
  }

  #requireChatgpt(purpose: string): Effect.Effect<Credential, AccountServiceError> {
    return Effect.flatMap(this.#current, (credential) =>
      hasChatgptAccount(credential)
        ? Effect.succeed(credential)
        : Effect.fail(new AccountAuthRequired({ purpose, isSignedIn: credential !== null })),
    );
  }

  #read<A>(
    request: BackendRequest,
    read: (json: unknown) => A | undefined,
  ): Effect.Effect<A, BackendRequestFailed> {
    return Effect.flatMap(this.#requests.send(request), (text) =>
      parse(text, request.attempt, read),
    );
  }
}

type AccountSession = AccountSessions["sessions"][number];

const sessionOf = (
  { account: { accountId, email }, lastRefreshMs = 0 }: ChatgptCredential,
  userId: string,
  workspaces: AccountSession["workspaces"],
): AccountSession => ({
  sessionId: userId,
  email: email ?? null,
  userId,
  displayName: null,
  imageUrl: null,
  lastUsedAt: Math.floor(lastRefreshMs / 1000),
  isActive: true,
  selectedWorkspaceAccountId: accountId ?? null,
  workspaces,
});

const parse = <A>(
  text: string,
  attempt: string,
  read: (json: unknown) => A | undefined,
): Effect.Effect<A, BackendRequestFailed> => {
  const parsed = read(parseJson(text));
  return parsed === undefined
    ? Effect.fail(new BackendRequestFailed({ attempt, reason: "unexpected response", status: 200 }))
    : Effect.succeed(parsed);
};
