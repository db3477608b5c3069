import type { Account } from "./accounts.ts";
import { randomToken } from "./accounts.ts";

/** What an identity token must contain to be exchanged under a rule. */
export interface WorkloadRule {
  readonly account: Account;
  /** `aud` that the identity token must have. Default: any. */
  readonly audience?: string;
  /** `sub` that the identity token must have. Default: any. */
  readonly subject?: string;
}

/** The rules by which identity tokens are exchanged, and the secrets with which jobs ask their platform for one. */
export class Workloads {
  readonly githubRequestToken = randomToken("gh-");
  readonly buildkiteAgentToken = randomToken("bk-");
  readonly federationRules = new Map<string, WorkloadRule>();
  readonly serviceAccounts = new Map<string, WorkloadRule>();
}
