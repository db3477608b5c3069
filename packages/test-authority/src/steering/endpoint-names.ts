/** Every endpoint of the authority, as steering and assertions name it. */
export const endpoints = [
  "jwks",
  "registerTask",
  "registerAgent",
  "biscuit",
  "whoami",
  "accountsCheck",
  "configBundle",
  "switchWorkspace",
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
  "workloadExchange",
  "apiWorkloadExchange",
  "revoke",
  "deviceUserCode",
  "deviceToken",
  "devicePage",
  "deviceDecide",
  "deviceCallback",
  "githubIdToken",
  "gceIdToken",
  "azureIdToken",
  "buildkiteIdToken",
  "gatewayAuthorize",
  "gatewayDevice",
  "gatewayToken",
  "gatewayModels",
  "unknown",
] as const;

/** The name of an endpoint; `unknown` is every path without an endpoint. */
export type Endpoint = (typeof endpoints)[number];

const known: ReadonlySet<string> = new Set(endpoints);

/** Throws `TypeError` for an unknown endpoint name. */
export const assertEndpoint = (name: Endpoint): void => {
  if (!known.has(name))
    throw new TypeError(`unknown endpoint ${name}; the endpoints are ${endpoints.join(", ")}`);
};

/** `token` is all grants of the token endpoint; each grant also has its own name. */
const tokenGrants: ReadonlySet<Endpoint> = new Set([
  "codeExchange",
  "refresh",
  "apiKeyExchange",
  "workloadExchange",
  "apiWorkloadExchange",
]);

/** Whether only the request's body distinguishes this endpoint from others with the same path. */
export const isTokenGrant = (endpoint: Endpoint): boolean => tokenGrants.has(endpoint);

/** Whether a request to `actual` counts as one to `asked`. */
export const isEndpoint = (actual: Endpoint, asked: Endpoint): boolean =>
  actual === asked || (asked === "token" && tokenGrants.has(actual));
