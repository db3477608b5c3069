import { HttpTransport } from "@agent-auth/agent-identity/http";
import { requestTimeoutMs } from "@agent-auth/agent-identity/http/timeouts";
import { switchWorkspaceUrl } from "@agent-auth/agent-identity/urls";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Redacted from "effect/Redacted";
import * as z from "zod/mini";
import { overridingEnvVar } from "../config/environment.ts";
import { checkWorkspaces } from "../config/restrictions.ts";
import type { ChatgptCredential, Credential } from "../credential/index.ts";
import {
  EnvironmentCredentialOverrides,
  type LoginError,
  WorkspaceSwitchFailed,
  WorkspaceSwitchUnsupported,
} from "../errors/index.ts";
import { compact } from "../internal/compact.ts";
import { decodeUnverifiedClaims } from "../oauth/id-token-claims.ts";
import { isSuccess, parseResponse } from "../oauth/request.ts";
import type { AuthDocument } from "../storage/auth-json/index.ts";
import { workspaceRequestHeaders } from "../workspace/index.ts";
import { chatgptCredential, readSignIn } from "./chatgpt.ts";
import { changeStored } from "./change-stored.ts";
import type { ManagerDeps } from "./deps.ts";
import { enforceRestrictions } from "./load.ts";
import type { MaybeCredential } from "./state.ts";

const SwitchResponse = z.object({
  access_token: z.string().check(z.minLength(1)),
  refresh_token: z.nullish(z.string()),
  id_token: z.nullish(z.string()),
});

/** Returns the ChatGPT sign-in of the store; only its workspace can be switched. Fails for any other credential. */
export const requireOwnSignIn = (
  deps: ManagerDeps,
  credential: MaybeCredential,
): Effect.Effect<
  ChatgptCredential,
  EnvironmentCredentialOverrides | WorkspaceSwitchUnsupported
> => {
  const variable = overridingEnvVar(deps.options.environment, deps.options);
  if (variable !== undefined) return Effect.fail(new EnvironmentCredentialOverrides({ variable }));
  const found = Option.getOrUndefined(credential);
  return found?._tag === "Chatgpt"
    ? Effect.succeed(found)
    : Effect.fail(new WorkspaceSwitchUnsupported(compact({ kind: found?._tag })));
};

/**
 * `AuthManager.switchWorkspace`: exchanges the access token for one of another workspace of the same user, and stores it.
 * The configuration and the rules of administrators are checked before anything is sent.
 */
export const switchWorkspace = Effect.fn("AuthManager.switchWorkspace")(function* (
  deps: ManagerDeps,
  current: MaybeCredential,
  workspaceId: string,
): Effect.fn.Return<Credential, LoginError, HttpTransport> {
  const mine = yield* requireOwnSignIn(deps, current);
  yield* checkWorkspaces(deps.options.config, [workspaceId]);
  if (mine.account.accountId === workspaceId) return mine;
  const version = deps.state.version();
  const fresh = yield* requestToken(deps, mine, workspaceId);
  const claimed = decodeUnverifiedClaims(fresh.accessToken)?.accountId;
  if (claimed !== undefined && claimed !== workspaceId)
    return yield* new WorkspaceSwitchFailed({
      workspaceId,
      reason: "the backend sent a token of another workspace",
    });
  const lastRefresh = new Date(yield* Clock.currentTimeMillis).toISOString();
  // Fails if another program has replaced the sign-in: its tokens are not overwritten.
  const credential = yield* changeStored(
    deps.homeLock,
    Effect.gen(function* () {
      const { stored, tokens } = yield* readSignIn(deps.store, mine);
      const document: AuthDocument = {
        ...stored.document,
        tokens: { ...tokens, ...fresh, accountId: workspaceId },
        lastRefresh,
      };
      const source = yield* deps.store.save(document, { expected: stored.version });
      return yield* chatgptCredential(
        document,
        { ...tokens, ...fresh, accountId: workspaceId },
        source,
      );
    }),
  );
  const allowed = yield* enforceRestrictions(deps, credential);
  deps.state.accept(Option.some(allowed), version);
  return allowed;
});

/** Absent and empty members mean that the stored token stays. */
const secret = (text: string | null | undefined, label: string) =>
  typeof text === "string" && text !== "" ? Redacted.make(text, { label }) : undefined;

const requestToken = Effect.fnUntraced(function* (
  { options }: ManagerDeps,
  mine: ChatgptCredential,
  workspaceId: string,
): Effect.fn.Return<
  {
    readonly accessToken: Redacted.Redacted;
    readonly refreshToken?: Redacted.Redacted;
    readonly idToken?: Redacted.Redacted;
  },
  LoginError,
  HttpTransport
> {
  const transport = yield* HttpTransport;
  const { allowInsecureHttp, config } = options;
  const url = yield* switchWorkspaceUrl(config.chatgptBaseUrl, compact({ allowInsecureHttp }));
  const failed = (reason: string, more: { status?: number; requestHint?: string }) =>
    new WorkspaceSwitchFailed({ workspaceId, reason, ...more });
  const response = yield* transport
    .request({
      method: "POST",
      url,
      headers: { ...workspaceRequestHeaders(mine), "content-type": "application/json" },
      body: JSON.stringify({ workspace_id: workspaceId }),
      timeoutMs: requestTimeoutMs,
    })
    .pipe(Effect.mapError(({ hint, message }) => failed(message, { requestHint: hint })));
  const { body, status, statusText } = response;
  if (!isSuccess(response)) return yield* failed(`HTTP ${status} ${statusText}`.trim(), { status });
  const parsed = parseResponse(SwitchResponse, body);
  if ("problem" in parsed)
    return yield* failed(`its response is unusable: ${parsed.problem}`, { status });

  const { access_token, id_token, refresh_token } = parsed.value;
  return {
    accessToken: Redacted.make(access_token, { label: "access token" }),
    ...compact({
      refreshToken: secret(refresh_token, "refresh token"),
      idToken: secret(id_token, "id token"),
    }),
  };
});
