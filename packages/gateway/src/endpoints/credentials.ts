import type { Credentials } from "../authentication/index.ts";

/** Returns the part of a request that authentication reads. */
export const credentialsOf = ({ headers }: Request, source?: string): Credentials => ({
  authorization: headers.get("authorization"),
  accountId: headers.get("chatgpt-account-id"),
  fedramp: headers.get("x-openai-fedramp"),
  source,
});
