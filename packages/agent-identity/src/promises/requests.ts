import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import { type AgentBillOfMaterials, registerAgent } from "../registration/index.ts";
import { mintBiscuit } from "../registration/biscuit.ts";
import type { AgentKey } from "../keys/index.ts";
import type { AgentTaskIdentity } from "../tasks/index.ts";
import type { BaseUrlOptions } from "../urls/index.ts";
import type { AgentProfile } from "./agent.ts";

/** What a biscuit is asked for, and by whom. */
export interface BiscuitRequest extends BaseUrlOptions {
  /** The configured ChatGPT base; normalised here. */
  readonly baseUrl: string;
  /** The signed-in user's. Blank: `AccessTokenUnavailable`. */
  readonly accessToken: string;
  /** The request that the biscuit will accompany. */
  readonly originalMethod: string;
  readonly originalUrl: string;
}

/** Whose task is wanted, and where it is registered. */
export interface TaskRequest {
  /** A `taskId` in it, stored by a sign-in, is used without registering. */
  readonly agent: Pick<AgentProfile, "agentRuntimeId" | "taskId">;
  readonly key: AgentKey;
  /** Normalised base of the task API; `taskApiBaseUrl` makes it. */
  readonly taskApiBaseUrl: string;
  /**
   * Where the user has an access token: the biscuit that a registration sends, or the request by which one is minted
   * before each registration, and only then.
   */
  readonly biscuit?: string | BiscuitRequest;
}

/** Which agent is registered, where, and by what right: the first design asks for a biscuit, the current one for a token. */
export interface AgentRegistrationRequest extends BaseUrlOptions {
  /** Base of the registering API: the ChatGPT base in the first design, the task API base in the current one. */
  readonly baseUrl: string;
  readonly key: AgentKey;
  readonly billOfMaterials: AgentBillOfMaterials;
  readonly authorization: { readonly biscuit: string } | { readonly accessToken: string };
}

/** `mintBiscuit` of plain values. */
export const mint = ({ accessToken, ...request }: BiscuitRequest) =>
  mintBiscuit({ ...request, accessToken: Redacted.make(accessToken, { label: "access_token" }) });

const biscuitOf = (biscuit: string | BiscuitRequest) =>
  typeof biscuit === "string"
    ? Effect.succeed(Redacted.make(biscuit, { label: "biscuit" }))
    : mint(biscuit);

/** The identity that `AgentTasks` knows, of plain values. */
export const taskIdentity = ({ agent, biscuit, ...rest }: TaskRequest): AgentTaskIdentity => ({
  ...rest,
  record: agent,
  ...(biscuit === undefined ? {} : { biscuit: biscuitOf(biscuit) }),
});

/** `registerAgent` of plain values: what authorises it tells the design. */
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
