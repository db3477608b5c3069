import { randomBytes, randomUUID } from "node:crypto";
import type { PlanType } from "@agent-auth/agent-identity/record/plan";

/** One user in one workspace, as the consent page offers it. */
export interface Account {
  /** Id of the account; on a workspace plan, of the workspace. */
  readonly accountId: string;
  readonly userId: string;
  readonly email: string;
  readonly planType: PlanType;
  readonly isFedrampAccount: boolean;
  /** Shown on the authority's pages. */
  readonly workspaceName: string;
}

/** What the authority knows about a bearer token. */
export interface BearerToken {
  readonly kind: "apiKey" | "accessToken" | "personalAccessToken" | "biscuit";
  readonly account: Account;
  /** Milliseconds since the epoch; absent if it does not expire. */
  expiresAtMs?: number;
  revoked: boolean;
  /** The refresh token family of an access token. */
  readonly familyId?: string;
}

/** Returns a random secret: the prefix and `bytes` random bytes in base64url. */
export const randomToken = (prefix: string, bytes = 24): string =>
  `${prefix}${randomBytes(bytes).toString("base64url")}`;

/** Fills in what the caller left out: a new user on plan `pro`. */
const makeAccount = (given: Partial<Account> = {}): Account => {
  const tag = randomBytes(4).toString("hex");
  return {
    accountId: `acct-${randomUUID()}`,
    userId: `user-${tag}`,
    email: `ada.${tag}@example.test`,
    planType: "pro",
    isFedrampAccount: false,
    workspaceName: `Workspace ${tag}`,
    ...given,
  };
};

/** The accounts and bearer tokens of the authority. */
export class Directory {
  readonly accounts: Array<Account> = [];
  readonly bearers = new Map<string, BearerToken>();

  addAccount(given: Partial<Account> = {}): Account {
    const account = makeAccount(given);
    this.accounts.push(account);
    return account;
  }

  addBearer(token: string, facts: Omit<BearerToken, "revoked">): string {
    this.bearers.set(token, { ...facts, revoked: false });
    return token;
  }

  /** Returns whether the token was known. */
  revokeBearer(token: string): boolean {
    const bearer = this.bearers.get(token);
    if (bearer !== undefined) bearer.revoked = true;
    return bearer !== undefined;
  }

  /** Returns whether the token was known. */
  expireBearer(token: string, nowMs: number): boolean {
    const bearer = this.bearers.get(token);
    if (bearer !== undefined) bearer.expiresAtMs = nowMs;
    return bearer !== undefined;
  }

  /** Revokes every access token of one sign-in. */
  revokeFamily(familyId: string): void {
    for (const bearer of this.bearers.values())
      if (bearer.familyId === familyId) bearer.revoked = true;
  }
}
