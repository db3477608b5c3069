import { randomUUID } from "node:crypto";
import { createLocalJWKSet, errors, jwtVerify } from "jose";
import type { JWTPayload } from "jose";
import { unauthorized } from "../http/response.ts";
import type { AuthorityState } from "../state.ts";
import { epochSeconds } from "../steering/clock.ts";
import { signClaims } from "./claims.ts";
import type { WorkloadRule } from "./workload-store.ts";

export type { WorkloadRule } from "./workload-store.ts";

/** Options of `addFederationRule` and `addServiceAccount`. */
export interface WorkloadRuleOptions extends Partial<WorkloadRule> {
  /** Default: a new id. */
  readonly id?: string;
}

/** The identity provider and the service account of an exchange for an API token. */
export interface ServiceAccount {
  readonly identityProviderId: string;
  readonly serviceAccountId: string;
}

/** Claims of an identity token, the JWT with which a platform identifies the program that it runs. */
export interface MintIdentityTokenOptions {
  /** Default `https://api.openai.com/v1`. */
  readonly audience?: string | ReadonlyArray<string>;
  /** Default `workload`. */
  readonly subject?: string;
  /** Default: the authority itself, which stands for the platform. */
  readonly issuer?: string;
  /** Seconds from now, by the authority's clock; negative for an expired token. Default 300. */
  readonly expiresInSeconds?: number;
  /** Claims that are added to the usual ones or replace them; undefined removes one. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly signature?: "published" | "unknownKey";
}

const serviceAccountKey = (identityProviderId: string, serviceAccountId: string): string =>
  JSON.stringify([identityProviderId, serviceAccountId]);

/** Adds a federation rule: identity tokens that it accepts are exchanged for a workspace token. Returns its id. */
export const addFederationRule = (
  state: AuthorityState,
  { id = `rule-${randomUUID()}`, account = state.account, ...rest }: WorkloadRuleOptions = {},
): string => {
  state.workloads.federationRules.set(id, { account, ...rest });
  return id;
};

/** Adds a service account: identity tokens that it accepts are exchanged for an API token. */
export const addServiceAccount = (
  state: AuthorityState,
  { id = `sa_${randomUUID()}`, account = state.account, ...rest }: WorkloadRuleOptions = {},
): ServiceAccount => {
  const identityProviderId = `idp_${randomUUID()}`;
  state.workloads.serviceAccounts.set(serviceAccountKey(identityProviderId, id), {
    account,
    ...rest,
  });
  return { identityProviderId, serviceAccountId: id };
};

/** Returns the rule of a service account. Throws `HttpError` (401) if the account is unknown. */
export const findServiceAccount = (
  { workloads }: AuthorityState,
  identityProviderId: string,
  serviceAccountId: string,
): WorkloadRule => {
  const key = serviceAccountKey(identityProviderId, serviceAccountId);
  const rule = workloads.serviceAccounts.get(key);
  if (rule === undefined) throw unauthorized("invalid_grant", "the service account is unknown");
  return rule;
};

/** Mints an identity token as a platform does. */
export const mintIdentityToken = (
  state: AuthorityState,
  options: MintIdentityTokenOptions = {},
): Promise<string> => {
  const { audience = "https://api.openai.com/v1", subject = "workload" } = options;
  const now = epochSeconds(state.clock.nowMs());
  const claims = {
    iss: options.issuer ?? state.origin,
    aud: audience,
    sub: subject,
    iat: now,
    nbf: now,
    exp: now + (options.expiresInSeconds ?? 300),
    jti: randomUUID(),
    ...options.claims,
  };
  const { signature } = options;
  return signClaims(state.keys, claims, signature === undefined ? {} : { signature });
};

/** Checks an identity token against a rule; throws `HttpError` (401) that says what is wrong. */
export const verifyIdentityToken = async (
  state: AuthorityState,
  token: string,
  rule: WorkloadRule,
): Promise<JWTPayload> => {
  const { keys } = await state.keys.ownJwks();
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: [...keys] }), {
      algorithms: ["RS256"],
      currentDate: new Date(state.clock.nowMs()),
      requiredClaims: ["iss", "iat", "exp"],
      ...(rule.audience === undefined ? {} : { audience: rule.audience }),
      ...(rule.subject === undefined ? {} : { subject: rule.subject }),
    });
    return payload;
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    throw unauthorized("invalid_grant", `the identity token was refused: ${error.message}`);
  }
};
