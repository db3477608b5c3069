import type { RateLimit } from "../limits/index.ts";
import type { RegistryCacheOptions } from "../registry/cache.ts";
import type { AgentAccount } from "../registry/agent-registry.ts";
import type { VerifiedUser } from "./users.ts";

/** The part of a request that authentication reads. */
export interface Credentials {
  /** The `Authorization` header. */
  readonly authorization: string | null | undefined;
  /** The `ChatGPT-Account-ID` header. */
  readonly accountId?: string | null | undefined;
  /** The `X-OpenAI-Fedramp` header. */
  readonly fedramp?: string | null | undefined;
  /** Where the request comes from, such as the remote address. Absent: limits per source do not apply. */
  readonly source?: string | undefined;
}

/** An agent whose assertion was verified. */
export interface AgentPrincipal {
  readonly kind: "agent";
  readonly agentRuntimeId: string;
  readonly taskId: string;
  readonly account: AgentAccount;
  /** When the assertion was signed, milliseconds since the epoch. */
  readonly signedAtMs: number;
}

/** A person whose access token was verified. */
export interface UserPrincipal extends VerifiedUser {
  readonly kind: "user";
}

/** Who sent a request. */
export type Principal = AgentPrincipal | UserPrincipal;

/** How requests are authenticated. */
export interface AuthenticationOptions {
  /** How many seconds an assertion's timestamp may be in the past or future. Default 300. */
  readonly clockWindowSeconds?: number;
  /**
   * `required`: an agent must send its account as `ChatGPT-Account-ID`, and `X-OpenAI-Fedramp: true` for a FedRAMP account,
   * as Codex does. Default `ifPresent`: a header that is sent must name the agent's account.
   */
  readonly accountHeaders?: "required" | "ifPresent";
  /** How long registry lookups are cached. */
  readonly cache?: RegistryCacheOptions;
  /** Limit for the requests of one agent. Default: unlimited. Each process counts separately. */
  readonly perAgent?: RateLimit;
  /** Limit for the requests of one source. Default: unlimited. Each process counts separately. */
  readonly perSource?: RateLimit;
  /**
   * Limit for the failed verifications of one source. A source that reaches the limit is rejected before anything is
   * parsed, except for headers that were verified before. Default 1000 in 10 seconds. If all requests come through one
   * proxy, take the source from the proxy's forwarding header, or set null.
   */
  readonly failuresPerSource?: RateLimit | null;
}
