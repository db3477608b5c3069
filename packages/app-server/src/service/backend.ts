import type { Credential } from "@agent-auth/login/credential";
import type { LoginError } from "@agent-auth/login/errors";
import type { ModelProviderClient } from "@agent-auth/model-provider/promises";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import {
  AccountAuthRequired,
  type AccountServiceError,
  BackendRequestFailed,
} from "../errors/index.ts";
import { hasChatgptAccount, workspaceOf } from "./account-info.ts";
import { statusLine } from "./completed-text.ts";
import * as payload from "./backend-payloads.ts";
import type { AccountManager, AccountServiceOptions, AccountServiceShape } from "./types.ts";

type Methods = Pick<
  AccountServiceShape,
  | "consumeRateLimitResetCredit"
  | "rateLimits"
  | "sendAddCreditsNudgeEmail"
  | "sessions"
  | "tokenUsage"
  | "workspaceMessages"
>;

interface BackendOptions {
  /** The URL of the account's endpoints. */
  readonly base: string;
  readonly options: AccountServiceOptions;
  readonly manager: AccountManager;
  readonly originator: () => string;
  /** Runs an Effect in the context of the service. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>;
  /** The credential for the next request, in the order of the operations. */
  readonly current: Effect.Effect<Credential | null, LoginError>;
}

/** Returns the operations about usage and credits. Other operations do not wait for their requests. */
export const makeBackend = ({
  base,
  current,
  manager,
  options,
  originator,
  run,
}: BackendOptions): { readonly methods: Methods; readonly close: Effect.Effect<void> } => {
  let client: Promise<ModelProviderClient> | undefined;
  // The backend of the account, even if model requests go to another provider.
  const open = (): Promise<ModelProviderClient> =>
    (client ??= import("@agent-auth/model-provider/promises").then(({ createModelProvider }) => {
      const { openaiBaseUrl: _, modelProvider: __, ...config } = options.config;
      return createModelProvider({
        manager: {
          current: () => run(Effect.map(manager.current, Option.getOrNull)),
          recoverUnauthorized: (rejected) =>
            run(Effect.map(manager.recoverUnauthorized(rejected), Option.getOrNull)),
        },
        environment: options.environment,
        config: { ...config, modelProviders: new Map() },
        originator: originator(),
        allowInsecureHttp: options.allowInsecureHttp ?? false,
      });
    }));
  const baseFor = (credential: Credential): string => {
    const origin = workspaceOf(credential)?.origin;
    return origin === undefined ? base : `${origin}${new URL(base).pathname}`;
  };

  const send = Effect.fnUntraced(function* (call: {
    readonly method: "GET" | "POST";
    readonly path: string;
    readonly body?: object;
    /** For errors: `failed to …`. */
    readonly attempt: string;
    readonly credential: Credential;
  }): Effect.fn.Return<BackendAnswer, BackendRequestFailed> {
    const { attempt, body, method } = call;
    const url = `${baseFor(call.credential)}${call.path}`;
    const failed = (reason: string) => new BackendRequestFailed({ attempt, reason });
    return yield* Effect.tryPromise({
      try: async (signal): Promise<BackendAnswer> => {
        const { fetch } = await open();
        const response = await fetch(url, {
          method,
          signal,
          ...(body === undefined
            ? {}
            : {
                body: JSON.stringify(body),
                headers: { "content-type": "application/json" },
              }),
        });
        const text = await readText(response);
        return { status: response.status, text, type: response.headers.get("content-type") ?? "" };
      },
      catch: (error) => failed(error instanceof Error ? error.message : "the request failed"),
    }).pipe(
      Effect.timeoutOrElse({
        duration: TIMEOUT_MS,
        orElse: () => Effect.fail(failed(`${method} ${url} timed out after ${TIMEOUT_MS / 1000}s`)),
      }),
      Effect.flatMap((answer) =>
        answer.status >= 200 && answer.status < 300
          ? Effect.succeed(answer)
          : Effect.fail(
              new BackendRequestFailed({
                attempt,
                status: answer.status,
                reason: `${method} ${url} failed: ${statusLine(answer.status)}; content-type=${answer.type}; body=${quotable(answer.text, Option.getOrNull(manager.snapshot()))}`,
              }),
            ),
      ),
    );
  });

  const requireChatgpt = (purpose: string): Effect.Effect<Credential, AccountServiceError> =>
    Effect.flatMap(current, (credential) =>
      hasChatgptAccount(credential)
        ? Effect.succeed(credential)
        : Effect.fail(new AccountAuthRequired({ purpose, isSignedIn: credential !== null })),
    );

  const methods: Methods = {
    rateLimits: Effect.fnUntraced(function* ({ excludeResetCreditDetails = false } = {}) {
      const credential = yield* requireChatgpt("to read rate limits");
      const attempt = "failed to fetch codex rate limits";
      const usage = send({ method: "GET", path: "/usage", attempt, credential });
      // Only details: without them, the count in the usage response remains.
      const details = excludeResetCreditDetails
        ? Effect.succeed(undefined)
        : send({ method: "GET", path: "/rate-limit-reset-credits", attempt, credential }).pipe(
            Effect.map(({ text }) => parseJson(text)),
            Effect.orElseSucceed(() => undefined),
          );
      const [answer, credits] = yield* Effect.all([usage, details], { concurrency: 2 });
      return yield* parse(answer, attempt, (json) => payload.readRateLimits(json, credits));
    }),
    tokenUsage: Effect.fnUntraced(function* ({ threadId } = {}) {
      const credential = yield* requireChatgpt("to read token usage");
      const attempt = "failed to fetch token usage profile";
      const answer = yield* send({ method: "GET", path: "/profiles/me", attempt, credential });
      const usage = yield* parse(answer, attempt, payload.readTokenUsage);
      return threadId === undefined ? usage : { ...usage, threadUsage: null };
    }),
    workspaceMessages: Effect.gen(function* () {
      const credential = yield* requireChatgpt("to read workspace messages");
      const attempt = "failed to fetch workspace messages";
      const answer = yield* Effect.catch(
        send({ method: "GET", path: "/workspace-messages", attempt, credential }),
        (error) => (error.status === 404 ? Effect.succeed(undefined) : Effect.fail(error)),
      );
      return answer === undefined
        ? { featureEnabled: false, messages: [] }
        : yield* parse(answer, attempt, payload.readWorkspaceMessages);
    }),
    sendAddCreditsNudgeEmail: Effect.fnUntraced(function* (creditType) {
      const credential = yield* requireChatgpt("to notify workspace owner");
      const attempt = "failed to notify workspace owner";
      const path = "/accounts/send_add_credits_nudge_email";
      const sent = send({
        method: "POST",
        path,
        body: { credit_type: creditType },
        attempt,
        credential,
      });
      return yield* Effect.catch(Effect.as(sent, { status: "sent" as const }), (error) =>
        error.status === 429
          ? Effect.succeed({ status: "cooldown_active" as const })
          : Effect.fail(error),
      );
    }),
    consumeRateLimitResetCredit: Effect.fnUntraced(function* ({ creditId, idempotencyKey }) {
      const credential = yield* requireChatgpt("for rate limit reset credits");
      const attempt = "failed to consume rate limit reset";
      const answer = yield* send({
        method: "POST",
        path: "/rate-limit-reset-credits/consume",
        body: {
          redeem_request_id: idempotencyKey,
          ...(creditId === undefined ? {} : { credit_id: creditId }),
        },
        attempt,
        credential,
      });
      return yield* parse(answer, attempt, payload.readConsumeOutcome);
    }),
    sessions: Effect.fnUntraced(function* ({ refreshWorkspaceMetadata = false } = {}) {
      const credential = yield* current;
      const { accountId, email, userId } = credential?.account ?? {};
      if (credential?._tag !== "Chatgpt" || userId === undefined)
        return { activeSessionId: null, sessions: [] };
      const attempt = "failed to list the workspaces";
      const workspaces = refreshWorkspaceMetadata
        ? yield* Effect.flatMap(
            send({ method: "GET", path: "/accounts/check", attempt, credential }),
            (answer) => parse(answer, attempt, payload.readWorkspaces),
          )
        : accountId === undefined
          ? []
          : [{ accountId, name: null, imageUrl: null, kind: null }];
      const session = {
        sessionId: userId,
        email: email ?? null,
        userId,
        displayName: null,
        imageUrl: null,
        lastUsedAt: Math.floor((credential.lastRefreshMs ?? 0) / 1000),
        isActive: true,
        selectedWorkspaceAccountId: accountId ?? null,
        workspaces,
      };
      return { activeSessionId: userId, sessions: [session] };
    }),
  };
  const close = Effect.promise(async () => {
    const opened = await client?.catch(() => undefined);
    await opened?.close();
  });
  return { methods, close };
};

const parse = <A>(
  { text }: BackendAnswer,
  attempt: string,
  read: (json: unknown) => A | undefined,
): Effect.Effect<A, BackendRequestFailed> =>
  Effect.suspend(() => {
    const parsed = read(parseJson(text));
    return parsed === undefined
      ? Effect.fail(
          new BackendRequestFailed({ attempt, reason: "unexpected response", status: 200 }),
        )
      : Effect.succeed(parsed);
  });

interface BackendAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const TIMEOUT_MS = 30_000;
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_QUOTED = 4_096;

/** The body as text. Its bytes are counted after decompression: a small response can become gigabytes. */
const readText = async (response: Response): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop ends the response.
    if (bytes > MAX_BODY_BYTES) throw new Error("the response is longer than 1 MiB");
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
};

/** The start of a body without credentials, which an error page may repeat, and without control characters. */
const quotable = (body: string, credential: Credential | null): string =>
  Object.values(credential ?? {})
    .filter(Redacted.isRedacted)
    .reduce((text, secret) => text.replaceAll(String(Redacted.value(secret)), "***"), body)
    .slice(0, MAX_QUOTED)
    .replace(/\b(Bearer|AgentAssertion)\s+[^\s"'<>]+/giu, "$1 ***")
    .replace(/\beyJ[\w-]*\.[\w-]*(?:\.[\w-]*)?/gu, "***")
    .replace(/[^\P{Cc}\n\t]/gu, " ");

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
