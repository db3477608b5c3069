import type { RequestRejected } from "../errors/index.ts";
import type { AgentAccount } from "../registry/index.ts";
import type { Credentials } from "./principal.ts";
import { reject } from "./rejection.ts";

/**
 * Returns what is wrong with the account's headers, or undefined. `ChatGPT-Account-ID` must name the account if it is sent;
 * if the headers are required, it must be sent, and for a FedRAMP account `X-OpenAI-Fedramp: true` as well.
 *
 * @example
 * ```ts
 * import { checkAccountHeaders } from "@agent-auth/gateway/authentication";
 *
 * const account = { accountId: "account-1" };
 * const credentials = { authorization: "Bearer token", accountId: "account-2" };
 * checkAccountHeaders(account, credentials, true)?.reason; // "wrong_account_id"
 * ```
 */
export const checkAccountHeaders = (
  account: AgentAccount,
  { accountId, fedramp }: Credentials,
  isRequired: boolean,
): RequestRejected | undefined => {
  const given = accountId ?? undefined;
  if (given === undefined) {
    if (!isRequired) return undefined;
    return reject("missing_account_id", "the header ChatGPT-Account-ID is missing");
  }
  if (given !== account.accountId)
    return reject("wrong_account_id", "ChatGPT-Account-ID is not the credential's account");
  if (isRequired && account.isFedramp === true && fedramp !== "true") {
    const message = "X-OpenAI-Fedramp: true is missing for a FedRAMP account";
    return reject("missing_fedramp", message);
  }
  return undefined;
};
