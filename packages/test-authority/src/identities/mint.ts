import { randomUUID } from "node:crypto";
import type { Account } from "./accounts.ts";
import { randomToken } from "./accounts.ts";
import { makeAgentKeyPair } from "./agents.ts";
import type { MintAgentIdentityOptions } from "./claims.ts";
import { agentIdentityClaims, signClaims } from "./claims.ts";
import type { AuthorityState } from "../state.ts";

/** A minted agent identity: the JWT and its contents. */
export interface MintedAgentIdentity {
  readonly jwt: string;
  readonly agentRuntimeId: string;
  readonly account: Account;
  /** Base64 (standard, padded) of PKCS#8 DER, as in the JWT. */
  readonly privateKey: string;
  readonly publicKeyRaw: Uint8Array;
}

/** Creates an agent with its own key, signs its JWT, and registers it unless `known` is false. */
export const mintAgentIdentity = async (
  state: AuthorityState,
  options: MintAgentIdentityOptions = {},
): Promise<MintedAgentIdentity> => {
  const account = options.account ?? state.account;
  const agentRuntimeId = options.agentRuntimeId ?? `agent-${randomUUID()}`;
  const { privateKey, publicKeyRaw, sshPublicKey } = makeAgentKeyPair(
    options.privateKeyVersion ?? 1,
  );
  const now = state.clock.nowMs();
  const claims = agentIdentityClaims(account, agentRuntimeId, privateKey, now, options);
  const jwt = await signClaims(state.keys, claims, options);
  if (options.known !== false) state.agents.add(agentRuntimeId, sshPublicKey, account);
  return { jwt, agentRuntimeId, account, privateKey, publicKeyRaw };
};

/** Options of an API key or a personal access token. */
export interface MintBearerOptions {
  /** Default: the authority's first account. */
  readonly account?: Account;
  /** Seconds by the authority's clock. Default: it does not expire. */
  readonly expiresInSeconds?: number;
}

const addBearer = (
  state: AuthorityState,
  kind: "apiKey" | "personalAccessToken",
  token: string,
  options: MintBearerOptions,
): string => {
  const { account = state.account, expiresInSeconds } = options;
  const expiry =
    expiresInSeconds === undefined
      ? {}
      : { expiresAtMs: state.clock.nowMs() + expiresInSeconds * 1000 };
  return state.directory.addBearer(token, { kind, account, ...expiry });
};

/** Adds the given API key, or a new one. */
export const addApiKey = (
  state: AuthorityState,
  options: MintBearerOptions & { readonly key?: string } = {},
): string => addBearer(state, "apiKey", options.key ?? randomToken("sk-proj-"), options);

/** A new token that starts with `at-`. */
export const mintPersonalAccessToken = (
  state: AuthorityState,
  options: MintBearerOptions = {},
): string => addBearer(state, "personalAccessToken", randomToken("at-"), options);
