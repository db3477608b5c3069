import {
  HttpTransport,
  type HttpRequest,
  isTransientStatus,
} from "@agent-auth/agent-identity/http";
import { shortTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Schedule from "effect/Schedule";
import type * as z from "zod/mini";
import type { AnswerKey } from "./cache-file.ts";
import { ConfigBundle, parsePolicy } from "./policy.ts";
import { AccountsCheck, isChatgptOrigin, routingOf } from "./routing.ts";
import type { Config } from "../config/types.ts";
import { accountIdHeader, fedrampHeader, type WorkspaceCredential } from "../credential/index.ts";
import { type LoginError, WorkspaceCheckFailed } from "../errors/index.ts";
import { isSuccess, parseResponse } from "../oauth/request.ts";

/** A question to the backend, and the check of its answer. */
export interface Question<A> {
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

export const policyQuestion: Question<ConfigBundle> = {
  what: "policy",
  path: "/config/bundle",
  schema: ConfigBundle,
  validate: parsePolicy,
};

export const routingQuestion: Question<AccountsCheck> = {
  what: "routing",
  path: "/accounts/check",
  schema: AccountsCheck,
  validate: (answer, { account }, config) => routingOf(answer, account.accountId ?? "", config),
};

/** Returns a stored answer if it has the form of this question's answers. */
export const parseAnswer = <A>(
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
export const isPassing = ({ status }: WorkspaceCheckFailed): boolean =>
  status === undefined || status < 300 || isTransientStatus(status);

/** Sends a question. Returns `null` if a self-hosted backend does not know it. */
export const ask = <A>(
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
