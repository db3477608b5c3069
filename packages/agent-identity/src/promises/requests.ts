import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { mintBiscuit } from "../registration/biscuit.ts";
import { type AgentBillOfMaterials, registerAgent } from "../registration/index.ts";
import type { AgentKey } from "../keys/index.ts";
import type { AgentTaskIdentity } from "../tasks/index.ts";
import * as urls from "../urls/index.ts";
import type { AgentProfile } from "./agent.ts";

/** What a biscuit is minted for. */
export interface BiscuitRequest extends urls.BaseUrlOptions {
  /** The configured ChatGPT base URL; normalised here. */
  readonly baseUrl: string;
  /** Access token of the signed-in user. If it is blank, the call rejects with `AccessTokenUnavailable`. */
  readonly accessToken: string;
  /** The request that the biscuit will accompany. */
  readonly originalMethod: string;
  readonly originalUrl: string;
}

/** The agent that needs a task, and where the task is registered. */
export interface TaskRequest {
  /** A `taskId` in it, stored by a sign-in, is used without a registration. */
  readonly agent: Pick<AgentProfile, "agentRuntimeId" | "taskId">;
  readonly key: AgentKey;
  /** Normalised base URL of the task API; `taskApiBaseUrl` returns it. */
  readonly taskApiBaseUrl: string;
  /**
   * Only if the user has an access token: the biscuit that a registration sends, or the request that mints one before
   * each registration.
   */
  readonly biscuit?: string | BiscuitRequest;
}

/** Which agent is registered, where, and with which authorization: a biscuit in v1, an access token in v2. */
export interface AgentRegistrationRequest extends urls.BaseUrlOptions {
  /** Base URL of the registration API: the ChatGPT base in v1, the task API base in v2. */
  readonly baseUrl: string;
  readonly key: AgentKey;
  readonly billOfMaterials: AgentBillOfMaterials;
  readonly authorization: { readonly biscuit: string } | { readonly accessToken: string };
}

/** `mintBiscuit` with plain values. */
export const mint = ({ accessToken, ...request }: BiscuitRequest) =>
  mintBiscuit({ ...request, accessToken: Redacted.make(accessToken, { label: "access_token" }) });

const biscuitOf = (biscuit: string | BiscuitRequest) =>
  typeof biscuit === "string"
    ? Effect.succeed(Redacted.make(biscuit, { label: "biscuit" }))
    : mint(biscuit);

/** The identity that `AgentTasks` takes, from plain values. */
export const taskIdentity = ({ agent, biscuit, ...rest }: TaskRequest): AgentTaskIdentity => ({
  ...rest,
  record: agent,
  ...(biscuit === undefined ? {} : { biscuit: biscuitOf(biscuit) }),
});

/** `registerAgent` with plain values: the kind of authorization decides the design. */
export const register = ({ authorization, ...rest }: AgentRegistrationRequest) =>
  "biscuit" in authorization
    ? registerAgent({
        ...rest,
        design: "v1",
        biscuit: Redacted.make(authorization.biscuit, { label: "biscuit" }),
      })
    : registerAgent({
        ...rest,
        design: "v2",
        accessToken: Redacted.make(authorization.accessToken, { label: "access_token" }),
      });

/**
 * Returns the URL of a backend's JWKS from its configured base URL (docs/protocol.md §5). Rejects with `BaseUrlError`.
 *
 * @example
 * ```ts
 * import { jwksUrl } from "@agent-auth/agent-identity/promises";
 *
 * await jwksUrl("https://chatgpt.com");
 * // "https://chatgpt.com/backend-api/wham/agent-identities/jwks"
 * ```
 */
export const jwksUrl = (base: string, options?: urls.BaseUrlOptions): Promise<string> =>
  Effect.runPromise(urls.jwksUrl(base, options));

/**
 * Returns the base URL of the API that registers tasks: the override, else a loopback ChatGPT base itself, else OpenAI's.
 * Rejects with `BaseUrlError`.
 *
 * @example
 * ```ts
 * import { taskApiBaseUrl } from "@agent-auth/agent-identity/promises";
 *
 * await taskApiBaseUrl({ chatgptBaseUrl: "https://chatgpt.com/backend-api" });
 * // "https://auth.openai.com/api/accounts"
 * ```
 */
export const taskApiBaseUrl = (...from: Parameters<typeof urls.taskApiBaseUrl>): Promise<string> =>
  Effect.runPromise(urls.taskApiBaseUrl(...from));
