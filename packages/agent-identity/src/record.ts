import type * as Redacted from "effect/Redacted";
import type { PlanType } from "./plan.ts";

/**
 * Who an agent is, whichever shape it was read from: JWT claims of either design, or a record stored by a
 * sign-in. Whether anything was verified depends on the function that returned it.
 */
export interface AgentIdentityRecord {
  /** Printable ASCII, not empty: it goes into headers, paths and signed messages. */
  readonly agentRuntimeId: string;
  /** Base64 (standard, padded) of PKCS#8 DER, Ed25519, version 1 or 2. */
  readonly privateKey: Redacted.Redacted;
  /** The account or, on a workspace plan, the workspace: they are one id. */
  readonly accountId: string;
  readonly chatgptUserId?: string;
  readonly email?: string;
  readonly planType: PlanType;
  readonly isFedrampAccount: boolean;
  /** RFC 3339, whole seconds, `Z`. */
  readonly registeredAt?: string;
  /** A task the writer of a stored record had registered already. */
  readonly taskId?: string;
  /** A task cached for background requests (first design). */
  readonly backgroundTaskId?: string;
}
