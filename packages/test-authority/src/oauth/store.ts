import { createHash, randomBytes, randomInt } from "node:crypto";
import type { Account } from "../identities/accounts.ts";
import { randomToken } from "../identities/accounts.ts";

/** A checked authorization request. */
export interface AuthorizationRequest {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly codeChallenge: string;
  readonly state: string;
  readonly scope: string;
  readonly nonce?: string;
  /** Workspaces that the client restricts the sign-in to; empty means any. */
  readonly allowedWorkspaceIds: ReadonlyArray<string>;
}

/** What a code was issued for (RFC 6749 §4.1.2). */
export interface AuthorizationCode {
  readonly account: Account;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly codeChallenge: string;
  readonly scope: string;
  readonly nonce?: string;
  readonly expiresAtMs: number;
  /** The refresh token family that the code was used for; a second use revokes it (RFC 6749 §4.1.2). */
  spentFor?: string;
}

/** One sign-in: a family of refresh tokens that replace one another. */
export interface RefreshFamily {
  readonly id: string;
  /** Changes if the sign-in switches to another workspace of its user. */
  account: Account;
  readonly clientId: string;
  readonly scope: string;
  revoked: boolean;
}

/** One refresh token of a family; good for one use. */
export interface RefreshToken {
  readonly family: RefreshFamily;
  used: boolean;
  expiresAtMs: number;
}

/** A pending device sign-in. */
export interface DeviceAuthorization {
  readonly deviceAuthId: string;
  readonly userCode: string;
  readonly clientId: string;
  readonly expiresAtMs: number;
  decision: "pending" | "denied" | { readonly account: Account };
  /** Whether the authorization code was already issued. */
  collected: boolean;
}

/** The S256 challenge of a verifier (RFC 7636 §4.2). */
export const challengeOf = (verifier: string): string =>
  createHash("sha256").update(verifier).digest("base64url");

// No vowels and no look-alikes, because a user reads and types this.
const letters = "BCDFGHJKLMNPQRSTVWXZ";
const letter = (): string => letters.charAt(randomInt(letters.length));
const newUserCode = (): string =>
  `${Array.from({ length: 4 }, letter).join("")}-${Array.from({ length: 4 }, letter).join("")}`;

/** A user code in its issued form, from any case and with any spaces or hyphens. */
const normalizeUserCode = (typed: string): string => {
  const bare = typed.toUpperCase().replace(/[^A-Z]/g, "");
  return `${bare.slice(0, 4)}-${bare.slice(4)}`;
};

/** Pending and completed sign-ins. */
export class OAuthStore {
  readonly pending = new Map<string, AuthorizationRequest>();
  readonly codes = new Map<string, AuthorizationCode>();
  readonly refreshTokens = new Map<string, RefreshToken>();
  readonly devices = new Map<string, DeviceAuthorization>();

  /** Stores a request until the user decides. Returns its one-time id. */
  addPending(request: AuthorizationRequest): string {
    const id = randomToken("authz_", 18);
    this.pending.set(id, request);
    return id;
  }

  addCode(code: AuthorizationCode): string {
    const value = randomToken("ac_", 32);
    this.codes.set(value, code);
    return value;
  }

  addFamily(facts: Pick<RefreshFamily, "account" | "clientId" | "scope">): RefreshFamily {
    return { ...facts, id: randomBytes(9).toString("hex"), revoked: false };
  }

  addRefreshToken(family: RefreshFamily, expiresAtMs: number): string {
    const value = randomToken("rt_", 48);
    this.refreshTokens.set(value, { family, used: false, expiresAtMs });
    return value;
  }

  addDevice(clientId: string, expiresAtMs: number): DeviceAuthorization {
    const device: DeviceAuthorization = {
      deviceAuthId: randomToken("deviceauth_", 18),
      userCode: newUserCode(),
      clientId,
      expiresAtMs,
      decision: "pending",
      collected: false,
    };
    this.devices.set(device.deviceAuthId, device);
    return device;
  }

  deviceByUserCode(typed: string): DeviceAuthorization | undefined {
    const code = normalizeUserCode(typed);
    return [...this.devices.values()].find((device) => device.userCode === code);
  }
}
