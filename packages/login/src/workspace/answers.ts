import type { HttpTransport } from "@agent-auth/agent-identity/http";
import { accountBackendUrl } from "@agent-auth/agent-identity/urls";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { answerId, type Answer, type AnswerKey, readAnswer, writeAnswer } from "./cache-file.ts";
import { ask, isPassing, parseAnswer, type Question } from "./question.ts";
import { type CodexHome, canonicalCodexHome, prepareCodexHome } from "../config/codex-home.ts";
import type { Config } from "../config/types.ts";
import type { WorkspaceCredential } from "../credential/index.ts";
import type { LoginError } from "../errors/index.ts";
import { compact } from "../internal/compact.ts";

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

/** An answer, and when it has to be asked for again. */
export interface Usable<A> {
  readonly value: A | null;
  /** Milliseconds since the epoch. */
  readonly checkAgainAtMs: number;
}

/** The backend's answers, from memory, from the files of the CODEX_HOME, or from the backend. */
export interface Answers {
  /** Returns a fresh stored answer, else a new one, else an older stored one if the backend does not respond. */
  readonly to: <A>(
    question: Question<A>,
    credential: WorkspaceCredential,
  ) => Effect.Effect<Usable<A>, LoginError, HttpTransport>;
  /** Returns the stored answer, however old; `undefined` if there is none. Sends nothing. */
  readonly stored: <A>(
    question: Question<A>,
    credential: WorkspaceCredential,
  ) => Effect.Effect<A | null | undefined, LoginError>;
}

/** Returns the answers for one manager. Sends nothing and reads nothing yet. */
export const makeAnswers = (options: WorkspaceChecksOptions): Answers => {
  const { path: codexHome } = options.codexHome;
  const memory = makeMemory(codexHome);
  const takeTurn = makeTakeTurn(options.codexHome);

  const askInTurn = Effect.fnUntraced(function* <A>(
    question: Question<A>,
    credential: WorkspaceCredential,
    key: AnswerKey,
  ): Effect.fn.Return<Usable<A>, LoginError, HttpTransport | Scope.Scope> {
    const hasWaited = yield* takeTurn;
    const nowMs = yield* Clock.currentTimeMillis;
    const older = memory.reread(key);
    const fresh = freshAnswer(question, older, nowMs);
    if (fresh !== undefined) return fresh;
    const usable = usableAnswer(question, older, nowMs);
    // If this process waited, another one has just asked without success.
    const tries = usable !== undefined || hasWaited ? 1 : 3;
    const asked = yield* Effect.result(ask(question, credential, { backend: key.backend, tries }));
    if (asked._tag === "Failure") {
      if (usable === undefined || !isPassing(asked.failure)) return yield* asked.failure;
      yield* Effect.logWarning(
        `${asked.failure.message}; the answer of ${Math.round(usable.ageMs / 60_000)} minutes ago is used until the backend responds, for a day at most`,
      );
      return { value: usable.value, checkAgainAtMs: nowMs + ASK_AGAIN_MS };
    }
    const { success: value } = asked;
    // An answer that cannot be used is not kept: the next request asks for a corrected one.
    if (value !== null) yield* question.validate(value, credential, options.config);
    const answer = { value, askedAtMs: nowMs };
    memory.remember(key, answer);
    yield* Effect.promise(() => writeAnswer(codexHome, key, answer, answerUsableMs));
    return { value, checkAgainAtMs: nowMs + answerFreshMs };
  });

  return {
    to: Effect.fnUntraced(function* (question, credential) {
      const key = yield* answerKey(options, question, credential);
      const nowMs = yield* Clock.currentTimeMillis;
      return (
        freshAnswer(question, memory.read(key), nowMs) ??
        (yield* Effect.scoped(askInTurn(question, credential, key)))
      );
    }),
    stored: Effect.fnUntraced(function* (question, credential) {
      const answer = memory.read(yield* answerKey(options, question, credential));
      return answer === undefined ? undefined : parseAnswer(question, answer.value)?.value;
    }),
  };
};

/** What distinguishes the answers for one credential from those for others. */
export const answerKey = Effect.fnUntraced(function* (
  { allowInsecureHttp, config, network }: WorkspaceChecksOptions,
  { what }: Pick<Question<never>, "what">,
  { account }: WorkspaceCredential,
) {
  const backend = yield* accountBackendUrl(config.chatgptBaseUrl, compact({ allowInsecureHttp }));
  const { accountId = "", userId } = account;
  return { kind: what, backend, accountId, ...compact({ network, userId }) };
});

/** Answers that are kept in memory: a manager may be given the tokens of any number of accounts, one after another. */
const MAX_REMEMBERED = 64;

/** Answers in memory, in the order of use, over those in files. */
const makeMemory = (codexHome: string) => {
  const answers = new Map<string, Answer>();
  const remember = (key: AnswerKey, answer: Answer): void => {
    const id = answerId(key);
    answers.delete(id); // keeps the map in the order of use
    answers.set(id, answer);
    const [oldest] = answers.keys();
    if (answers.size > MAX_REMEMBERED && oldest !== undefined) answers.delete(oldest);
  };
  const read = (key: AnswerKey): Answer | undefined => {
    const answer = answers.get(answerId(key)) ?? readAnswer(codexHome, key);
    if (answer !== undefined) remember(key, answer);
    return answer;
  };
  return {
    remember,
    read,
    /** As `read`, but the file first: another process may have written it since. */
    reread: (key: AnswerKey): Answer | undefined => {
      const newer = readAnswer(codexHome, key);
      if (newer !== undefined) remember(key, newer);
      return newer ?? read(key);
    },
  };
};

/**
 * Until the scope closes, other processes of the CODEX_HOME wait before they ask. Returns whether this one waited. If the
 * lock cannot be taken, for example in a home that cannot be written, every process asks.
 */
const makeTakeTurn = (codexHome: CodexHome) => {
  const lockableFiles = new Set<string>();
  return Effect.gen(function* () {
    const beganAtMs = yield* Clock.currentTimeMillis;
    const { acquireOwnLock } = yield* Effect.promise(() => import("../storage/lock/acquire.ts"));
    yield* prepareCodexHome(codexHome, () => undefined).pipe(
      Effect.andThen(
        acquireOwnLock("agent-auth.workspace.lock", {
          home: canonicalCodexHome(codexHome),
          path: codexHome.path,
          maxWaitMs: MAX_TURN_MS,
          lockableFiles,
        }),
      ),
      Effect.ignore,
    );
    return (yield* Clock.currentTimeMillis) - beganAtMs > SHORT_WAIT_MS;
  });
};

const freshAnswer = <A>(
  question: Question<A>,
  answer: Answer | undefined,
  nowMs: number,
): Usable<A> | undefined => {
  const found = youngerThan(answerFreshMs, question, answer, nowMs);
  return found && { value: found.value, checkAgainAtMs: nowMs - found.ageMs + answerFreshMs };
};

/** An answer that may be used while the backend does not respond. */
const usableAnswer = <A>(question: Question<A>, answer: Answer | undefined, nowMs: number) =>
  youngerThan(answerUsableMs, question, answer, nowMs);

const youngerThan = <A>(
  maxAgeMs: number,
  question: Question<A>,
  answer: Answer | undefined,
  nowMs: number,
): { readonly value: A | null; readonly ageMs: number } | undefined => {
  if (answer === undefined) return undefined;
  const ageMs = nowMs - answer.askedAtMs;
  if (ageMs < 0 || ageMs >= maxAgeMs) return undefined;
  const parsed = parseAnswer(question, answer.value);
  return parsed && { value: parsed.value, ageMs };
};
