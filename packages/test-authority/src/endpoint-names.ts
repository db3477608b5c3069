/** Every endpoint of the authority, as steering and assertions name it. */
export const endpoints = [
  "jwks",
  "registerTask",
  "registerAgent",
  "biscuit",
  "whoami",
  "accountsCheck",
  "configBundle",
  "responses",
  "responsesSocket",
  "models",
  "echo",
  "discovery",
  "authorize",
  "decide",
  "token",
  "codeExchange",
  "refresh",
  "apiKeyExchange",
  "revoke",
  "deviceUserCode",
  "deviceToken",
  "devicePage",
  "deviceDecide",
  "deviceCallback",
  "unknown",
] as const;

export type Endpoint = (typeof endpoints)[number];

/** `token` stands for all three grants of the token endpoint; each grant also has its own name. */
const tokenGrants: ReadonlySet<Endpoint> = new Set(["codeExchange", "refresh", "apiKeyExchange"]);

/** Whether a request to `actual` counts as one to `asked`. */
export const isEndpoint = (actual: Endpoint, asked: Endpoint): boolean =>
  actual === asked || (asked === "token" && tokenGrants.has(actual));
