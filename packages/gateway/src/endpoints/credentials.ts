import type { Credentials } from "../authentication/index.ts";

/** What is read of a request to authenticate it. */
export const credentialsOf = ({ headers }: Request, source?: string): Credentials => ({
  authorization: headers.get("authorization"),
  accountId: headers.get("chatgpt-account-id"),
  fedramp: headers.get("x-openai-fedramp"),
  source,
});
