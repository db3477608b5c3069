import {
  HttpTransport,
  type HttpRequest,
  isTransientStatus,
} from "@agent-auth/agent-identity/http";
import { shortTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import { hasWorkspacePolicy } from "@agent-auth/agent-identity/record/plan";
import { accountBackendUrl } from "@agent-auth/agent-identity/urls";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Schedule from "effect/Schedule";
import type * as Scope from "effect/Scope";
import type * as z from "zod/mini";
import { answerId, type Answer, type AnswerKey, readAnswer, writeAnswer } from "./cache-file.ts";
import { ConfigBundle, enforcePolicy, parsePolicy, type Policy } from "./policy.ts";
import { AccountsCheck, isChatgptOrigin, routingOf } from "./routing.ts";
import { type CodexHome, canonicalCodexHome, prepareCodexHome } from "../config/codex-home.ts";
import type { Config } from "../config/types.ts";
import {
  accountIdHeader,
  fedrampHeader,
  type WorkspaceAccess,
  type WorkspaceCredential,
} from "../credential/index.ts";
import { type LoginError, WorkspaceCheckFailed } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import { isSuccess, parseResponse } from "../oauth/request.ts";

/** Milliseconds for which an answer of the backend is used, by all processes of a CODEX_HOME. */
export const answerFreshMs = 3_600_000;

/** Milliseconds for which an older answer is used while the backend does not respond. */
export const answerUsableMs = 24 * 3_600_000;

/** Milliseconds after which a backend that does not respond is asked again, while an older answer is used. */
const ASK_AGAIN_MS = 60_000;

/** Milliseconds to wait while another process asks the backend: a little longer than one request may take. */
const MAX_TURN_MS = 12_000;

/** A wait of fewer milliseconds means that the lock was free. */
const SHORT_WAIT_MS = 100;

export interface WorkspaceChecksOptions {
  readonly codexHome: CodexHome;
  readonly config: Config;
  readonly allowInsecureHttp?: boolean;
  /** Identifies the proxy and the trusted roots of requests (`NetworkKey`). */
  readonly network?: string;
}

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

/** A question to the backend, and the check of its answer. */
interface Question<A> {
  readonly what: AnswerKey["kind"];
  readonly path: string;
  readonly schema: z.ZodMiniType<A>;
  /** Fails if the answer cannot be used. */
  readonly validate: (
    answer: A,
    credential: WorkspaceCredential,
    config: Config,
  ) => Effect.Effect<unknown, LoginError>;
}

const policyQuestion: Question<ConfigBundle> = {
  what: "policy",
  path: "/config/bundle",
  schema: ConfigBundle,
  validate: parsePolicy,
};

const routingQuestion: Question<AccountsCheck> = {
  what: "routing",
  path: "/accounts/check",
  schema: AccountsCheck,
  validate: (answer, { account }, config) => routingOf(answer, account.accountId ?? "", config),
};

/** Answers that are kept in memory: a manager may be given the tokens of any number of accounts, one after another. */
const MAX_REMEMBERED = 64;

/** Returns the checks of one manager. Sends nothing and reads nothing yet. */
export const makeWorkspaceChecks = (options: WorkspaceChecksOptions): WorkspaceChecks => {
  const { config } = options;
  const { path: codexHome } = options.codexHome;
  const memory = new Map<string, Answer>();
  const remember = (id: string, answer: Answer): void => {
    memory.delete(id); // keeps the map in the order of use
    memory.set(id, answer);
    const [oldest] = memory.keys();
    if (memory.size > MAX_REMEMBERED && oldest !== undefined) memory.delete(oldest);
  };
  const isRouted = goesToBackend(config);

  const keyFor = Effect.fnUntraced(function* (
    { what }: Pick<Question<never>, "what">,
    { account }: WorkspaceCredential,
  ) {
    const { allowInsecureHttp, network } = options;
    const backend = yield* accountBackendUrl(config.chatgptBaseUrl, compact({ allowInsecureHttp }));
    const { accountId = "", userId } = account;
    return { kind: what, backend, accountId, ...compact({ network, userId }) };
  });

  const stored = (key: AnswerKey): Answer | undefined => {
    const id = answerId(key);
    const answer = memory.get(id) ?? readAnswer(codexHome, key);
    if (answer !== undefined) remember(id, answer);
    return answer;
  };

  const lockableFiles = new Set<string>();
  /**
   * Until the scope closes, other processes of the CODEX_HOME wait before they ask. Returns whether this one waited. If
   * the lock cannot be taken, for example in a home that cannot be written, every process asks.
   */
  const takeTurn = Effect.gen(function* () {
    const beganAtMs = yield* Clock.currentTimeMillis;
    const { acquireOwnLock } = yield* Effect.promise(() => import("../storage/lock/acquire.ts"));
    yield* prepareCodexHome(options.codexHome, () => undefined).pipe(
      Effect.andThen(
        acquireOwnLock("agent-auth.workspace.lock", {
          home: canonicalCodexHome(options.codexHome),
          path: codexHome,
          maxWaitMs: MAX_TURN_MS,
          lockableFiles,
        }),
      ),
      Effect.ignore,
    );
    return (yield* Clock.currentTimeMillis) - beganAtMs > SHORT_WAIT_MS;
  });

  /** Returns a fresh stored answer, else a new one, else an older stored one if the backend does not respond. */
  const answerTo = Effect.fnUntraced(function* <A>(
    question: Question<A>,
    credential: WorkspaceCredential,
  ): Effect.fn.Return<Usable<A>, LoginError, HttpTransport> {
    const key = yield* keyFor(question, credential);
    return (
      freshAnswer(question, stored(key), yield* Clock.currentTimeMillis) ??
      (yield* Effect.scoped(askInTurn(question, credential, key)))
    );
  });

  const askInTurn = Effect.fnUntraced(function* <A>(
    question: Question<A>,
    credential: WorkspaceCredential,
    key: AnswerKey,
  ): Effect.fn.Return<Usable<A>, LoginError, HttpTransport | Scope.Scope> {
    const hasWaited = yield* takeTurn;
    const nowMs = yield* Clock.currentTimeMillis;
    const newer = readAnswer(codexHome, key);
    if (newer !== undefined) remember(answerId(key), newer);
    const older = newer ?? stored(key);
    const fresh = freshAnswer(question, older, nowMs);
    if (fresh !== undefined) return fresh;
    const parsed = older === undefined ? undefined : parseAnswer(question, older.value);
    const ageMs = nowMs - (older?.askedAtMs ?? -Infinity);
    const isUsable = parsed !== undefined && ageMs >= 0 && ageMs < answerUsableMs;
    // If this process waited, another one has just asked without success.
    const tries = isUsable || hasWaited ? 1 : 3;
    const asked = yield* Effect.result(ask(question, credential, { backend: key.backend, tries }));
    if (asked._tag === "Success") {
      // An answer that cannot be used is not kept: the next request asks for a corrected one.
      if (asked.success !== null) yield* question.validate(asked.success, credential, config);
      const answer = { value: asked.success, askedAtMs: nowMs };
      remember(answerId(key), answer);
      yield* Effect.promise(() => writeAnswer(codexHome, key, answer, answerUsableMs));
      return { value: asked.success, checkAgainAtMs: nowMs + answerFreshMs };
    }
    if (!isUsable || !isPassing(asked.failure)) return yield* asked.failure;
    const minutes = Math.round(ageMs / 60_000);
    yield* Effect.logWarning(
      `${asked.failure.message}; the answer of ${minutes} minutes ago is used until the backend responds, for a day at most`,
    );
    return { value: parsed.value, checkAgainAtMs: nowMs + ASK_AGAIN_MS };
  });

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
      const bundle = hasPolicy(credential) ? yield* answerTo(policyQuestion, credential) : nothing;
      const policy = bundle.value === null ? undefined : yield* parsePolicy(bundle.value);
      if (policy !== undefined) yield* enforcePolicy(policy, config, credential);
      const routing =
        isRouted && credential.account.accountId !== undefined
          ? yield* answerTo(routingQuestion, credential)
          : nothing;
      const checkAgainAtMs = Math.min(bundle.checkAgainAtMs, routing.checkAgainAtMs);
      return yield* accessFrom(credential, policy, routing.value, checkAgainAtMs);
    }),
    list: Effect.fnUntraced(function* (credential) {
      const { backend } = yield* keyFor(routingQuestion, credential);
      const found = yield* ask(routingQuestion, credential, { backend, tries: 3 });
      return (found?.accounts ?? []).map(({ id, name, structure }) => ({
        id,
        isCurrent: id === credential.account.accountId,
        ...compact({ name: name ?? undefined, structure: structure ?? undefined }),
      }));
    }),
    checkStored: Effect.fnUntraced(function* (credential) {
      const read = Effect.fnUntraced(function* <A>(question: Question<A>) {
        const answer = stored(yield* keyFor(question, credential));
        return answer === undefined ? undefined : parseAnswer(question, answer.value)?.value;
      });
      const bundle = hasPolicy(credential) ? yield* read(policyQuestion) : null;
      const policy =
        bundle === undefined || bundle === null ? undefined : yield* parsePolicy(bundle);
      const routing = isRouted ? yield* read(routingQuestion) : null;
      if (bundle === undefined || routing === undefined) {
        if (policy !== undefined) yield* enforcePolicy(policy, config, credential);
        return undefined;
      }
      return yield* accessFrom(credential, policy, routing, 0);
    }),
  };
};

/** An answer, and when it has to be asked for again. */
interface Usable<A> {
  readonly value: A | null;
  /** Milliseconds since the epoch. */
  readonly checkAgainAtMs: number;
}

const freshAnswer = <A>(
  question: Question<A>,
  answer: Answer | undefined,
  nowMs: number,
): Usable<A> | undefined => {
  const parsed = answer === undefined ? undefined : parseAnswer(question, answer.value);
  if (answer === undefined || parsed === undefined) return undefined;
  const ageMs = nowMs - answer.askedAtMs;
  return ageMs >= 0 && ageMs < answerFreshMs
    ? { value: parsed.value, checkAgainAtMs: answer.askedAtMs + answerFreshMs }
    : undefined;
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

const parseAnswer = <A>(
  { schema }: Question<A>,
  value: unknown,
): { readonly value: A | null } | undefined => {
  if (value === null) return { value: null };
  const parsed = schema.safeParse(value);
  return parsed.success ? { value: parsed.data } : undefined;
};

/** Whether the server does not know the path. A self-hosted backend need not have it. */
const isUnknownPath = (status: number): boolean =>
  status === 404 || status === 405 || status === 410 || status === 501;

/** Whether the failure may be temporary: there was no response, or it did not come from the backend. */
const isPassing = ({ status }: WorkspaceCheckFailed): boolean =>
  status === undefined || status < 300 || isTransientStatus(status);

const ask = <A>(
  { path, schema, what }: Question<A>,
  credential: WorkspaceCredential,
  { backend, tries }: { readonly backend: string; readonly tries: number },
): Effect.Effect<A | null, WorkspaceCheckFailed, HttpTransport> => {
  const { origin } = new URL(backend);
  const workspaceId = credential.account.accountId ?? "";
  const failed = (reason: string, more: { status?: number; requestHint?: string }) =>
    new WorkspaceCheckFailed({ what, workspaceId, origin, reason, ...more });
  const once = Effect.gen(function* () {
    const transport = yield* HttpTransport;
    const response = yield* transport
      .request({
        method: "GET",
        url: `${backend}${path}`,
        headers: workspaceRequestHeaders(credential),
        timeoutMs: shortTimeoutMs,
      })
      .pipe(Effect.mapError(({ hint, message }) => failed(message, { requestHint: hint })));
    const { body, status } = response;
    if (isUnknownPath(status) && !isChatgptOrigin(origin)) return null;
    if (!isSuccess(response))
      return yield* failed(`it responded with status ${status}`, { status });
    const parsed = parseResponse(schema, body);
    return "value" in parsed
      ? parsed.value
      : yield* failed(`its response is unusable: ${parsed.problem}`, { status });
  });
  return Effect.retry(once, {
    times: tries - 1,
    while: isPassing,
    schedule: Schedule.jittered(Schedule.exponential(200)),
  });
};

/** The headers of a request about a workspace: as on model requests (docs/protocol.md §8). */
export const workspaceRequestHeaders = (
  credential: WorkspaceCredential,
): NonNullable<HttpRequest["headers"]> => {
  const { accountId, isFedrampAccount } = credential.account;
  const token =
    credential._tag === "PersonalAccessToken" ? credential.token : credential.accessToken;
  return {
    accept: "application/json",
    authorization: Redacted.make(`Bearer ${Redacted.value(token)}`, { label: "authorization" }),
    ...(accountId !== undefined && { [accountIdHeader]: accountId }),
    ...(isFedrampAccount && { [fedrampHeader]: "true" }),
  };
};
